/** The backings that a port may not open yet, because something else has them open. */
import type { Config } from "../../config/config.ts";
import { shareOf } from "../../config/port_share.ts";

/** A port whose worker may have backings open. */
interface Occupant {
  readonly port: number;
  readonly supervisor: { has(path: string): boolean };
}

/**
 * Returns the reasons for which a port may not open some backings of a conf yet, by path.
 *
 * @param withheld paths that no worker may open, with the reasons
 */
export function arrivalsAt(
  port: number,
  config: Config,
  ports: readonly Occupant[],
  withheld: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const others = ports.filter((other) => other.port !== port);
  const units = shareOf(config, port).targets.flatMap(({ logicalUnits }) => logicalUnits);
  return new Map(units.flatMap(({ path }) => {
    const isOpen = others.some(({ supervisor }) => supervisor.has(path));
    const reason = withheld.get(path) ?? (isOpen ? describeMove(path) : undefined);
    return reason === undefined ? [] : [[path, reason] as const];
  }));
}

/** Returns whether two sets of reasons are about the same paths. */
export function areSameArrivals(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a.keys()].every((path) => b.has(path));
}

function describeMove(path: string): string {
  return `"${path}" is still open at the port that served it before; it is opened here when it has been closed there`;
}
