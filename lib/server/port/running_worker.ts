import type { Clock } from "../../iscsi/clock.ts";
import type { Deadline } from "./deadline.ts";
import type { HoleService } from "../storage/hole_service.ts";
import { type SpaceGauge, spaceOfFiles } from "../storage/measure_space.ts";
import type { PunchRequest } from "../worker/remote_puncher.ts";
import type { WorkerBackings } from "./served_backings.ts";
import type { WorkerStatus } from "../../control/server_status.ts";
import { repeat } from "../timers.ts";
import { SupervisorLimits } from "./supervisor_limits.ts";
import type { Surroundings } from "./surroundings.ts";
import type { WorkerPortals } from "./worker_portals.ts";
import { WorkerPulse } from "./worker_pulse.ts";
import type { ProcessEnd, WorkerProcess } from "../worker/worker_process.ts";

/** The cause of a worker's end: the server stops, another worker replaces it, or it ends by itself. */
export type EndCause = "stop" | "replaced" | "ending";

/** The needs of a running worker that recur. */
export interface PeriodicNeeds {
  /** Returns the service that punches holes for the worker. */
  readonly holes: () => HoleService | undefined;
  /** Follows the server's addresses. */
  readonly onCheckAddresses: () => void;
}

/** The worker process, its portals, and the settings that it was last given. */
export interface RunningWorkerParts {
  readonly process: WorkerProcess;
  readonly portals: WorkerPortals;
  readonly surroundings: Surroundings;
  readonly backings: WorkerBackings;
  readonly clock: Clock;
  readonly gauge: SpaceGauge;
  /** Called when the worker has not answered for some time. */
  readonly onSilent: () => void;
  /** Called when it answers again, with the duration of the silence. */
  readonly onAnswer: (silentMs: number) => void;
}

/** A target worker that serves, with what the supervisor knows about it. */
export class RunningWorker {
  readonly process: WorkerProcess;
  readonly portals: WorkerPortals;
  /** The addresses that the worker was last given. */
  surroundings: Surroundings;
  /** The backings that the worker was last given. */
  backings: WorkerBackings;
  readonly pulse: WorkerPulse;
  readonly #cause = Promise.withResolvers<EndCause>();
  readonly #clock: Clock;
  readonly #gauge: SpaceGauge;

  constructor({ process, portals, surroundings, backings, clock, gauge, ...observers }: RunningWorkerParts) {
    this.pulse = new WorkerPulse(() => process.ask({ kind: "ping" }), clock, observers);
    this.#clock = clock;
    this.#gauge = gauge;
    this.process = process;
    this.portals = portals;
    this.surroundings = surroundings;
    this.backings = backings;
  }

  /** Returns whether an initiator has a session with a target. */
  async hasSessions(): Promise<boolean> {
    const { sessions } = await this.process.ask({ kind: "snapshot" }, SupervisorLimits.answerMs);
    return sessions.some(({ targetName }) => targetName !== null);
  }

  /** The state of the worker, without its port. */
  get status(): Omit<WorkerStatus, "port"> {
    const { silentMs, isReady } = this.pulse;
    const { faults } = this.portals;
    if (silentMs === undefined) return { ...(isReady ? RUNNING : NOT_READY), faults };
    const reason = this.process.describeBlockage();
    return { state: "hanging", seconds: Math.floor(silentMs / 1000), reason, faults };
  }

  /** Ends the worker in order, for another to replace it. */
  replace(): void {
    this.#cause.resolve("replaced");
  }

  /** Serves the worker's periodic needs until it ends or has to. */
  async untilCause(stop: AbortSignal, { holes, onCheckAddresses }: PeriodicNeeds): Promise<EndCause> {
    const onAbort = (): void => this.#cause.resolve("stop");
    stop.addEventListener("abort", onAbort, { once: true });
    if (stop.aborted) onAbort();
    this.process.ending.then(() => this.#cause.resolve("ending"));
    const sendSpace = (): void => void this.#sendSpace(holes());
    sendSpace();
    const repeated = [
      repeat(this.#clock, SupervisorLimits.spaceMs, sendSpace),
      repeat(this.#clock, SupervisorLimits.interfacesMs, onCheckAddresses),
      repeat(this.#clock, SupervisorLimits.pulseMs, () => this.pulse.check()),
    ];
    const cause = await this.#cause.promise;
    for (const cancel of repeated) cancel();
    stop.removeEventListener("abort", onAbort);
    return cause;
  }

  /** Sends the worker the space that its backing files take. */
  async #sendSpace(holes: HoleService | undefined): Promise<void> {
    if (holes === undefined) return;
    this.process.post({ kind: "space", figures: spaceOfFiles(await this.#gauge.measure(holes.paths)) });
  }

  /**
   * Waits until nothing that the worker has started is under way, neither in itself nor in a helper program that
   * punches holes for it: until then no other worker may start and nothing may be released. A worker that has not
   * ended by the deadline counts as lost.
   */
  async end(cause: EndCause, holes: HoleService | undefined, deadline: Deadline): Promise<ProcessEnd> {
    const limitMs = cause === "ending" ? 0 : SupervisorLimits.punchMs;
    const cancelAbandon = this.#clock.after(limitMs, () => holes?.abandon());
    const late = deadline.reached.then((): ProcessEnd => ({ kind: "lost", message: this.process.abandon() }));
    const end = await Promise.race([this.#settle(cause, holes), late]);
    cancelAbandon();
    return end;
  }

  async #settle(cause: EndCause, holes: HoleService | undefined): Promise<ProcessEnd> {
    // A worker that stops in order still answers initiators that are connected by relays.
    if (cause === "ending") await this.portals.endRelays();
    else this.portals.stopRelays();
    const stopped = cause === "ending" ? this.process.ended : this.process.stop(SupervisorLimits.stopMs);
    const end = await stopped;
    await this.portals.endRelays();
    await holes?.renew();
    return end;
  }
}

const RUNNING = { state: "running", seconds: null, reason: null } as const;

/** The state of a port whose worker is not ready. */
export const NOT_READY = {
  state: "restarting",
  seconds: null,
  reason: "its worker has ended or is starting",
  faults: [],
} as const;

/** Punches the holes that a worker asks for, and sends it the result. */
export async function punchFor(
  worker: WorkerProcess,
  holes: HoleService | undefined,
  { id, path, ranges }: PunchRequest,
): Promise<void> {
  const result = await holes?.punch(path, ranges) ?? "refused";
  worker.post({ kind: "punched", id, result });
}
