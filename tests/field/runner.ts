/** Runs scenarios one after the other, each within its time limit, and reports each in a line. */
import { delay } from "../../lib/base/delay.ts";
import { findMissing } from "../support/tools.ts";
import { CannotRun, Context, type Scenario, SharedThings } from "./scenario.ts";

/** Settings of a run. */
export interface RunnerOptions {
  /** Counts a scenario that cannot run as failed, because everything is installed there. */
  readonly isCi: boolean;
  /** Prints a line. */
  readonly print: (line: string) => void;
}

/** The counts of a run. */
export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Returns the scenarios to run, by a pattern of their names, and those that are left out because it is undefined. */
export function selectScenarios(
  scenarios: readonly Scenario[],
  pattern: RegExp | undefined,
): { readonly wanted: readonly Scenario[]; readonly leftOut: readonly Scenario[] } {
  if (pattern !== undefined) {
    return { wanted: scenarios.filter(({ name }) => pattern.test(name)), leftOut: [] };
  }
  return {
    wanted: scenarios.filter(({ onRequest }) => onRequest === undefined),
    leftOut: scenarios.filter(({ onRequest }) => onRequest !== undefined),
  };
}

type Outcome =
  | { readonly kind: "passed" }
  | { readonly kind: "failed" | "skipped"; readonly reason: string };

/** Runs scenarios and returns how many passed. */
export async function runScenarios(scenarios: readonly Scenario[], options: RunnerOptions): Promise<Totals> {
  const totals = { passed: 0, failed: 0, skipped: 0 };
  const shared = new SharedThings();
  for (const scenario of scenarios) {
    const start = performance.now();
    const outcome = await examine(scenario, shared, options.isCi);
    totals[outcome.kind]++;
    options.print(describe(scenario, outcome, Math.round((performance.now() - start) / 1000)));
  }
  await shared.drop();
  return totals;
}

function describe({ name, proves }: Scenario, outcome: Outcome, seconds: number): string {
  if (outcome.kind === "passed") return `ok  ${name} (${seconds} s): ${proves}`;
  if (outcome.kind === "skipped") return `skipped  ${name}: cannot run here: ${outcome.reason}`;
  return `FAILED  ${name} (${seconds} s): ${proves}\n${outcome.reason.replaceAll(/^/gm, "    ")}`;
}

async function examine(scenario: Scenario, shared: SharedThings, isCi: boolean): Promise<Outcome> {
  try {
    const missing = findMissing(scenario.needs);
    if (missing !== undefined) throw new CannotRun(missing);
    await runWithinLimit(scenario, shared);
    return { kind: "passed" };
  } catch (error) {
    if (!(error instanceof CannotRun)) {
      // The next scenario gets new ones: the failure may have left anything in them.
      await shared.drop();
      return { kind: "failed", reason: explain(error) };
    }
    if (isCi) return { kind: "failed", reason: `cannot run here: ${error.message}` };
    return { kind: "skipped", reason: error.message };
  }
}

/** An error of the run may be followed by one of a server that did not end in order. */
function explain(error: unknown): string {
  if (!(error instanceof SuppressedError)) return String(error);
  return `${explain(error.suppressed)}\n${explain(error.error)}`;
}

/** A run that does not end in time is abandoned, and what it holds is disposed of. */
async function runWithinLimit(scenario: Scenario, shared: SharedThings): Promise<void> {
  const [limit, finished] = [new AbortController(), new AbortController()];
  await using context = new Context(limit.signal, shared);
  const isLate = delay(scenario.limitSeconds * 1000, finished.signal).then(() => !finished.signal.aborted);
  const run = scenario.run(context).then(() => false);
  try {
    if (!await Promise.race([run, isLate])) return;
    limit.abort();
    run.catch(() => {});
    throw new Error(`not finished within ${scenario.limitSeconds} s`);
  } finally {
    finished.abort();
  }
}
