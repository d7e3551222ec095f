/** The command line of `deno task cluster`. */
import { checkCount, checkPattern, readOptions } from "../bench/options.ts";
import { SPOILS } from "./_spoils.ts";

const SPOIL_HELP = `give the cluster a fault, to see it found: ${
  Object.entries(SPOILS).map(([name, { help }]) => `${name} (${help})`).join("; ")
}`;

const OPTIONS = {
  rounds: { value: "N", default: "2", help: "let each event happen N times", check: checkCount },
  only: { value: "PATTERN", default: ".", help: "run the scenarios with such names", check: checkPattern },
  seed: { value: "S", default: "0", help: "choose times by this number; 0: by the clock" },
  writecache: {
    help: "serve with a write cache, to initiators that write again what a takeover may have lost",
  },
  trusting: {
    help: "with --writecache: let initiators trust a flush by another node, as many hosts do",
  },
  spoil: { value: "NAME", default: "", help: SPOIL_HELP, check: checkSpoil },
} as const;

function checkSpoil(name: string): string | undefined {
  if (name === "" || name in SPOILS) return undefined;
  return `one of ${Object.keys(SPOILS).join(", ")}`;
}

/** The options of a run. */
export interface ClusterOptions {
  readonly rounds: string;
  readonly only: string;
  readonly seed: number;
  readonly writecache: boolean;
  readonly trusting: boolean;
  readonly spoil: string;
}

/** Returns the options of this process; prints help or an error and ends it. */
export function readClusterOptions(): ClusterOptions {
  const { seed, ...others } = readOptions("deno task cluster [OPTIONS]", OPTIONS);
  return { ...others, seed: Number(seed) || Date.now() % 2 ** 32 };
}
