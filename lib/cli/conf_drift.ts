import type { Config } from "../config/config.ts";
import type { Diagnostic } from "../config/diagnostic.ts";
import { describeDrift, describeDriftIn, findConfDrift } from "../provision/live_conf.ts";

/** The line for what concerns the whole conf. */
const FIRST_LINE = 1;

/** Warns of each difference between a conf and the one that another host has made live in the storage folder. */
export async function findDriftWarnings(config: Config): Promise<Diagnostic[]> {
  const drift = await findConfDrift(config);
  if (drift === undefined) return [];
  const { file, targets } = config;
  const heading = { line: FIRST_LINE, message: describeDrift(drift) };
  const differences = drift.differences.map((difference) => {
    const line = targets.find(({ name }) => name === difference.target)?.line ?? FIRST_LINE;
    return { line, message: `Different conf: ${describeDriftIn(difference)}` };
  });
  return [heading, ...differences].map((problem) => ({ severity: "warning", file, ...problem }));
}
