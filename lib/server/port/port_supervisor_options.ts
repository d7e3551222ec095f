import type { InterfaceAddress } from "../../access/interfaces.ts";
import type { Clock } from "../../iscsi/clock.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import type { HeldRights } from "../held_rights.ts";
import type { SpaceGauge } from "../storage/measure_space.ts";
import type { WorkerServing } from "../storage/serving.ts";
import type { StartWorker } from "../start_worker.ts";
import type { WorkerSettings } from "../worker/worker_settings.ts";

/** The collaborators of a port's supervisor. */
export interface PortSupervisorOptions {
  readonly serving: WorkerServing;
  /** Returns the server's current addresses. */
  readonly interfaces: () => readonly InterfaceAddress[];
  readonly clock: Clock;
  readonly gauge: SpaceGauge;
  readonly startWorker: StartWorker;
  /** The rights of the process, which limit those of its workers; all by default. */
  readonly rights?: HeldRights;
  readonly log: EventLog;
  /** The log for events of the worker, which has already counted repeated ones: `log` by default. */
  readonly workerLog?: EventLog;
  /** Called for each portal at which the target begins to listen. */
  readonly onListening: (address: string, port: number) => void;
  /** Called when a worker listens at every portal that it can. */
  readonly onReady: () => void;
  /** Called when a worker does not answer, before it is ready or later. */
  readonly onSilent: () => void;
  /** The memory that all workers of the server share, and the number of this one among them. */
  readonly totals: WorkerSettings["totals"];
  /** Called after the worker has closed backings, which another worker may open then. */
  readonly onReleased: () => void;
  /** Called with the address of each failed login, for the other workers. */
  readonly onFailedLogin: (peerAddress: string) => void;
}
