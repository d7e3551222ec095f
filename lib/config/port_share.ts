import type { Config } from "./config.ts";

/** Returns the ports of a conf's targets, each once, in the order of the file; its own port without targets. */
export function portsOf({ port, targets }: Pick<Config, "port" | "targets">): number[] {
  return targets.length === 0 ? [port] : [...new Set(targets.map((target) => target.port))];
}

/** Returns the part of a conf that is served at a port: its targets there, as if it had no others. */
export function shareOf(config: Config, port: number): Config {
  return { ...config, port, targets: config.targets.filter((target) => target.port === port) };
}

/** Returns the targets of a conf that are served at other ports. */
export function elsewhereOf({ targets }: Config, port: number): Config["targets"] {
  return targets.filter((target) => target.port !== port);
}
