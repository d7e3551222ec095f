import type { Clock } from "../../iscsi/clock.ts";
import { PortSupervisor } from "../port/port_supervisor.ts";
import type { PortSupervisorOptions } from "../port/port_supervisor_options.ts";
import { SupervisorLimits } from "../port/supervisor_limits.ts";
import { repeat } from "../timers.ts";

/** A port of a server with the supervisor of its worker, from its begin to its end. */
export class ServedPort {
  readonly port: number;
  /** The number of its worker among those that run, from 0. */
  readonly slot: number;
  readonly supervisor: PortSupervisor;
  /** Resolves when the worker is ready for the first time, or hangs; rejects when there will be none. */
  readonly ready: Promise<void>;
  /** Resolves when the port is not served any longer, with the reason unless it was stopped. */
  readonly ended: Promise<string | undefined>;
  /** True while a change that adds the port waits for it, and reports its failure. */
  isTrial: boolean;
  readonly #stop = new AbortController();
  #isReady = false;
  #cancelRetirement: () => void = () => {};

  /** Starts the worker. */
  constructor(options: Omit<PortSupervisorOptions, "onSilent">, isTrial = false) {
    const ready = Promise.withResolvers<void>();
    const onReady = (): void => {
      this.#isReady = true;
      ready.resolve();
      options.onReady();
    };
    // The server and a change do not wait for a disk that hangs.
    const onSilent = (): void => {
      if (!this.#isReady) onReady();
    };
    this.isTrial = isTrial;
    this.port = options.serving.port;
    this.slot = options.totals.slot;
    this.ready = ready.promise;
    this.supervisor = new PortSupervisor({ ...options, onReady, onSilent });
    this.ended = this.supervisor.run(this.#stop.signal).then((failure) => {
      this.#cancelRetirement();
      ready.reject(new Error(failure ?? "the server is about to end"));
      return failure;
    });
    // Without a change that waits for the port, only `ended` is of interest.
    this.ready.catch(() => {});
  }

  /** True once a worker has been ready, or hangs. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Stops the worker in order. */
  stop(): void {
    this.#stop.abort();
  }

  /** Stops the worker in order, and resolves when it has ended. */
  async end(): Promise<void> {
    this.stop();
    await this.ended;
  }

  /**
   * Checks that the worker has opened everything that can be served.
   *
   * @throws {Error} (rejects) when it has not; the message is for the user
   */
  async assertServesAll(): Promise<void> {
    if (!this.supervisor.isResponsive) return;
    const { unavailable, arriving } = this.supervisor.serving;
    const { problems } = await this.supervisor.ask({ kind: "snapshot" });
    const unexpected = problems.find(({ path }) => !unavailable.has(path) && !arriving.has(path));
    if (unexpected !== undefined) throw new Error(unexpected.reason);
  }

  /**
   * Calls `onIdle` some time after the last session of the worker, which has no target left, has ended. Until then it
   * redirects the initiators that look for its former targets.
   */
  retire(clock: Clock, onIdle: () => void): void {
    this.#cancelRetirement();
    let idleMs = 0;
    this.#cancelRetirement = repeat(clock, SupervisorLimits.retirementCheckMs, async () => {
      idleMs = await this.#hasSessions() ? 0 : idleMs + SupervisorLimits.retirementCheckMs;
      if (idleMs >= SupervisorLimits.retirementMs) onIdle();
    });
  }

  /** Returns whether an initiator has a session with a target; also true when that is unknown. */
  async #hasSessions(): Promise<boolean> {
    try {
      const { sessions } = await this.supervisor.ask({ kind: "snapshot" });
      return sessions.some(({ targetName }) => targetName !== null);
    } catch {
      return true;
    }
  }

  /** Cancels `retire`, because the port has targets again. */
  stay(): void {
    this.#cancelRetirement();
  }
}
