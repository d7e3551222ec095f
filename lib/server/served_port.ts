import type { Clock } from "../iscsi/clock.ts";
import { PortSupervisor } from "./port_supervisor.ts";
import type { PortSupervisorOptions } from "./port_supervisor_options.ts";
import { SupervisorLimits } from "./supervisor_limits.ts";
import { repeat } from "./timers.ts";

/** A port of a server with the supervisor of its worker, from its begin to its end. */
export class ServedPort {
  readonly port: number;
  /** The number of its worker among those that run, from 0. */
  readonly slot: number;
  readonly supervisor: PortSupervisor;
  /** Resolves when the worker is ready for the first time; rejects when there will be none. */
  readonly ready: Promise<void>;
  /** Resolves when the port is not served any longer, with the reason unless it was stopped. */
  readonly ended: Promise<string | undefined>;
  /** True while a change that adds the port waits for it, and reports its failure. */
  isTrial = false;
  readonly #stop = new AbortController();
  #isReady = false;
  #cancelRetirement: () => void = () => {};

  /** Starts the worker. */
  constructor(options: PortSupervisorOptions) {
    const ready = Promise.withResolvers<void>();
    const onReady = (): void => {
      this.#isReady = true;
      ready.resolve();
      options.onReady();
    };
    this.port = options.serving.port;
    this.slot = options.totals.slot;
    this.ready = ready.promise;
    this.supervisor = new PortSupervisor({ ...options, onReady });
    this.ended = this.supervisor.run(this.#stop.signal).then((failure) => {
      this.#cancelRetirement();
      ready.reject(new Error(failure ?? "the server is about to end"));
      return failure;
    });
    // Without a change that waits for the port, only `ended` is of interest.
    this.ready.catch(() => {});
  }

  /** True once a worker has been ready. */
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
   * Stops the worker, which has no target left, some time after the last of its sessions has ended. Until then it
   * redirects the initiators that look for its former targets.
   */
  retire(clock: Clock): void {
    this.#cancelRetirement();
    let idleMs = 0;
    this.#cancelRetirement = repeat(clock, SupervisorLimits.retirementCheckMs, async () => {
      idleMs = await this.supervisor.hasSessions() ? 0 : idleMs + SupervisorLimits.retirementCheckMs;
      if (idleMs >= SupervisorLimits.retirementMs) this.stop();
    });
  }

  /** Cancels `retire`, because the port has targets again. */
  stay(): void {
    this.#cancelRetirement();
  }
}
