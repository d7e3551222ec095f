import type { PortalPlan } from "../../access/portals.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import { describeUnmatched } from "./surroundings.ts";
import type { WorkerPortals } from "./worker_portals.ts";

/** Logs why the target does not listen at some portals, without repeating the last warning. */
export class PortalWarnings {
  readonly #log: EventLog;
  #last = "";

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** Logs a warning unless it repeats the last one. */
  warnOnce(message: string): void {
    if (message !== this.#last) this.#log.warning(message);
    this.#last = message;
  }

  /** Records the faults of a worker's portals; logs them once until they are gone. */
  noteFaults(portals: WorkerPortals, faults: readonly string[]): void {
    if (faults.length > 0) this.warnOnce(`${faults.join("; ")}; trying again`);
    else if (portals.faults.length > 0) this.#last = "";
    portals.faults = faults;
  }

  /** Logs networks in which the server has no address, unless `before` has them too. */
  noteUnmatched(plan: PortalPlan, before?: PortalPlan): void {
    for (const message of describeUnmatched(plan, before)) this.#log.warning(message);
  }
}
