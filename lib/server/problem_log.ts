import type { UnitProblem } from "../control/unit_problem.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";

/** Logs once when a logical unit is not served, and once when it is served again. */
export class ProblemLog {
  readonly #log: EventLog;
  /** The logged reasons by the names of the units. */
  readonly #reasons = new Map<string, string>();

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
    const present = new Set<string>();
    for (const problem of problems) {
      present.add(nameOf(problem.target, problem.lun));
      this.updateUnit(problem, problem.reason);
    }
    for (const name of this.#reasons.keys()) {
      if (present.has(name)) continue;
      const isOpen = units.get(name);
      if (isOpen === undefined) this.#reasons.delete(name);
      else if (isOpen) this.#logServed(name);
    }
  }

  /** Logs the change of one unit, however many there are. The reason is undefined when the unit is served. */
  updateUnit(unit: Pick<UnitProblem, "target" | "lun" | "isListed">, reason: string | undefined): void {
    const name = nameOf(unit.target, unit.lun);
    const description = reason === undefined ? undefined : describe(reason, unit.isListed);
    if (this.#reasons.get(name) === description) return;
    if (description === undefined) return this.#logServed(name);
    this.#reasons.set(name, description);
    this.#log.error(`${name} is not served: ${description}`, { event: "unitNotServed" });
  }

  #logServed(name: string): void {
    this.#reasons.delete(name);
    this.#log.info(`${name} is served now`, { event: "unitServed" });
  }
}

/** Returns the name of a logical unit in the log. */
export function nameOf(target: string, lun: number): string {
  return `LUN ${lun} of [${target}]`;
}

function describe(reason: string, isListed: boolean): string {
  return isListed ? `${reason}; initiators get NOT READY; trying again every few seconds` : reason;
}
