import type { Clock } from "../../iscsi/clock.ts";
import { SupervisorLimits } from "./supervisor_limits.ts";

/** The observers of a worker's pulse. */
export interface PulseObservers {
  /** Called when the worker has not answered for some time. */
  readonly onSilent: () => void;
  /** Called when it answers again, with the duration of the silence. */
  readonly onAnswer: (silentMs: number) => void;
}

/** Pings a worker, and detects that it does not answer: an operation blocks its event loop. */
export class WorkerPulse {
  readonly #ping: () => Promise<unknown>;
  readonly #clock: Clock;
  readonly #observers: PulseObservers;
  /** The time of the ping that has no answer. */
  #askedMs: number | undefined;
  #isSilent = false;
  #isReady = false;
  #silence = Promise.withResolvers<undefined>();
  #limitMs: number = SupervisorLimits.startSilenceMs;

  /** @param ping resolves when the worker answers, and rejects when it ends */
  constructor(ping: () => Promise<unknown>, clock: Clock, observers: PulseObservers) {
    this.#ping = ping;
    this.#clock = clock;
    this.#observers = observers;
  }

  /** True once the worker is ready. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** True if the worker has not answered for some time. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** Resolves when the worker has not answered for some time. */
  untilSilent(): Promise<undefined> {
    return this.#silence.promise;
  }

  /** Milliseconds since the worker stopped to answer; undefined while it answers. */
  get silentMs(): number | undefined {
    return this.#isSilent ? this.#clock.monotonicMs() - this.#askedMs! : undefined;
  }

  /** Records that the worker is ready. While it loads its program, and opens files, it may take longer to answer. */
  noteReady(): void {
    this.#isReady = true;
    this.#limitMs = SupervisorLimits.silenceMs;
    // The time until now does not count. After a silence, the answer to the last ping is about to arrive.
    if (!this.#isSilent) this.#askedMs = undefined;
  }

  /** Pings the worker, or checks how long the last ping has had no answer. The caller repeats it. */
  check(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#askedMs === undefined) {
      this.#askedMs = nowMs;
      // A refusal is an answer, too. The end of a worker is handled elsewhere.
      this.#ping().then(() => this.#onAnswer(), () => this.#onAnswer());
    } else if (!this.#isSilent && nowMs - this.#askedMs >= this.#limitMs) {
      this.#isSilent = true;
      this.#silence.resolve(undefined);
      this.#observers.onSilent();
    }
  }

  #onAnswer(): void {
    const silentMs = this.silentMs;
    this.#askedMs = undefined;
    if (silentMs === undefined) return;
    this.#isSilent = false;
    this.#silence = Promise.withResolvers();
    this.#observers.onAnswer(silentMs);
  }
}
