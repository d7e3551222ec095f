import type { UnitProblem } from "../control/unit_problem.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";

/** Logs once when a logical unit is not served, and once when it is served again. */
export class ProblemLog {
  readonly #log: EventLog;
  /** The logged reasons by the names of the units. */
  #reasons: ReadonlyMap<string, string> = new Map();

  constructor(log: EventLog) {
    this.#log = log;
  }

  /**
   * Logs the changes.
   *
   * @param problems all current problems
   * @param units the units of the conf by name, and whether each is open; a closed one may be about to be opened
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

/** Returns the name of a logical unit in the log. */
export function nameOf(target: string, lun: number): string {
  return `LUN ${lun} of [${target}]`;
}

function describe({ reason, isListed }: UnitProblem): string {
  return isListed ? `${reason}; initiators get NOT READY; trying again every few seconds` : reason;
}
