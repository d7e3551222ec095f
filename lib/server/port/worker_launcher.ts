import type { InterfaceAddress } from "../../access/interfaces.ts";
import type { Clock } from "../../iscsi/clock.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import type { HeldRights } from "../held_rights.ts";
import { ProvisionError } from "../../provision/provision_error.ts";
import { settleState } from "../../provision/settle_state.ts";
import type { SpaceGauge } from "../storage/measure_space.ts";
import type { PortalWarnings } from "./portal_warnings.ts";
import { Relays } from "./relays.ts";
import { RunningWorker } from "./running_worker.ts";
import type { ServedBackings, WorkerBackings } from "./served_backings.ts";
import { shareServed, type WorkerServing } from "../storage/serving.ts";
import type { StartWorker } from "../start_worker.ts";
import { listeningScope, type Surroundings, surroundingsOf } from "./surroundings.ts";
import { failedStart, TOO_LATE, type UnwantedEnd } from "./unwanted_end.ts";
import { workerPermissions } from "../worker_permissions.ts";
import { WorkerPortals } from "./worker_portals.ts";
import { type WorkerNews, WorkerProcess } from "../worker/worker_process.ts";
import type { WorkerSettings } from "../worker/worker_settings.ts";

/** The collaborators of a launcher, and the observers of its workers. */
export interface WorkerLauncherOptions {
  readonly interfaces: () => readonly InterfaceAddress[];
  readonly clock: Clock;
  readonly startWorker: StartWorker;
  /** The rights of the process, which limit those of its workers; all by default. */
  readonly rights?: HeldRights;
  readonly log: EventLog;
  readonly gauge: SpaceGauge;
  readonly backings: ServedBackings;
  readonly warnings: PortalWarnings;
  /** The memory that all workers of the server share, and the number of this one among them. */
  readonly totals: WorkerSettings["totals"];
  readonly onNews: (process: WorkerProcess, message: WorkerNews) => void;
  /** Called when a relay listens. */
  readonly onRelayListening: () => void;
  /** Called when a worker has not answered for some time. */
  readonly onSilent: (process: WorkerProcess) => void;
  /** Called when it answers again, with the duration of the silence. */
  readonly onAnswer: (silentMs: number) => void;
}

/** Starts the target workers of one port, one after another, with the rights and settings that each needs. */
export class WorkerLauncher {
  readonly #options: WorkerLauncherOptions;

  constructor(options: WorkerLauncherOptions) {
    this.#options = options;
  }

  /** Returns the addresses for what is served. `former` are those of the running worker. */
  surroundingsOf(
    { config, port }: Pick<WorkerServing, "config" | "port">,
    former?: Surroundings,
  ): Surroundings {
    const surroundings = surroundingsOf(config, port, this.#options.interfaces());
    const hasLeft = config.targets.length > 0 && config.targets.every((target) => target.port !== port);
    // Initiators look for targets that have left where they were.
    return hasLeft && former !== undefined ? { ...surroundings, plan: former.plan } : surroundings;
  }

  /** Returns the settings for a worker. */
  settingsFor(
    { mark }: Pick<WorkerProcess, "mark">,
    { config, port, identities, lease: { place } }: WorkerServing,
    details: WorkerBackings & Pick<WorkerSettings, "interfaces" | "portals" | "mayMissPortals">,
  ): WorkerSettings {
    return { config, port, place, identities, totals: this.#options.totals, mark, ...details };
  }

  /**
   * Starts a worker, which serves once everything is on stable storage, or returns why it cannot.
   *
   * @param mayMissPortals true to serve at the portals that can be listened at, if not all can
   * @param isTooLate returns true once no worker may be started
   */
  async launch(
    serving: WorkerServing,
    mayMissPortals: boolean,
    isTooLate: () => boolean,
  ): Promise<RunningWorker | UnwantedEnd> {
    if (isTooLate()) return TOO_LATE;
    const { backings, warnings, clock, gauge, onSilent, onAnswer } = this.#options;
    const surroundings = this.surroundingsOf(serving);
    const { plan: { portals }, interfaces } = surroundings;
    warnings.noteUnmatched(surroundings.plan);
    const scope = listeningScope(shareServed(serving), surroundings.plan, this.#options.rights);
    // The worker loads its program meanwhile. Its start blocks this thread, so the disk is asked first.
    const settled = settleState(shareServed(serving));
    // It may fail before the backings are ready, which are not left half prepared.
    settled.catch(() => {});
    const process = this.#startProcess(serving.port, {
      ...workerPermissions({ place: serving.lease.place, ...scope }),
    });
    try {
      const own = await backings.renew(serving);
      await settled;
      if (isTooLate()) throw new ProvisionError(TOO_LATE.message);
      const settings = this.settingsFor(process, serving, { ...own, portals, interfaces, mayMissPortals });
      process.post({ kind: "start", settings });
      return new RunningWorker({
        process,
        portals: new WorkerPortals(scope, this.#relaysOf(process)),
        surroundings,
        backings: own,
        clock,
        gauge,
        onSilent: () => onSilent(process),
        onAnswer,
      });
    } catch (error) {
      process.abandon();
      return failedStart(error);
    }
  }

  #startProcess(port: number, permissions: Deno.PermissionOptionsObject): WorkerProcess {
    const { clock, startWorker, log, onNews } = this.#options;
    const process: WorkerProcess = new WorkerProcess({
      port,
      permissions,
      clock,
      startWorker,
      onNews: (message) => onNews(process, message),
      onSlowEnd: (reason) => log.warning(`Target worker has not ended: ${reason}; ${NO_OTHER_UNTIL_THEN}`),
    });
    return process;
  }

  #relaysOf(worker: WorkerProcess): Relays {
    const { clock, startWorker, log, warnings, onRelayListening } = this.#options;
    return new Relays({
      clock,
      startWorker,
      log,
      post: (message, transfer) => worker.post(message, transfer),
      onListening: onRelayListening,
      onFailure: (message) => warnings.warnOnce(message),
    });
  }
}

/** The consequence of a worker that does not end, for the log. */
const NO_OTHER_UNTIL_THEN = "until then no other worker starts and no file is released";
