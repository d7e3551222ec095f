import type { UnitProblem } from "../control/unit_problem.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";

/** Logs which logical units are not served, and when they are again: each once. */
export class ProblemLog {
  readonly #log: EventLog;
  /** By the names of the units. */
  #reasons: ReadonlyMap<string, string> = new Map();

  constructor(log: EventLog) {
    this.#log = log;
  }

  /**
   * Logs what has changed.
   *
   * @param problems all that there are now
   * @param units the units of the conf by name, and whether they are there: one that is not may be about to be opened
   */
  update(problems: readonly UnitProblem[], units: ReadonlyMap<string, boolean>): void {
    const reasons = new Map(
      problems.map((problem) => [nameOf(problem.target, problem.lun), describe(problem)]),
    );
    for (const [name, reason] of reasons) {
      if (this.#reasons.get(name) === reason) continue;
      this.#log.error(`${name} is not served: ${reason}`, { event: "unitNotServed" });
    }
    for (const [name, reason] of this.#reasons) {
      if (reasons.has(name)) continue;
      const isThere = units.get(name);
      if (isThere === false) reasons.set(name, reason);
      else if (isThere) this.#log.info(`${name} is served now`, { event: "unitServed" });
    }
    this.#reasons = reasons;
  }
}

/** Returns what a logical unit is called in the log. */
export function nameOf(target: string, lun: number): string {
  return `LUN ${lun} of [${target}]`;
}

function describe({ reason, isListed }: UnitProblem): string {
  return isListed ? `${reason}; initiators get NOT READY, and it is tried again every few seconds` : reason;
}
