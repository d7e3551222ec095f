/** The clock of a rate limit, in milliseconds. */
export interface RateClock {
  readonly now: () => number;
  /** Resolves after a number of milliseconds, or as soon as the signal is aborted. */
  readonly wait: (delayMs: number, signal?: AbortSignal) => Promise<void>;
}

/** Milliseconds that are saved up before a wait, because a timer is not exact. */
const SLACK_MS = 20;

/** Limits work to a number of bytes a second. Time in which nothing was done is not made up for. */
export class RateLimit {
  readonly #msPerByte: number;
  readonly #clock: RateClock;
  #dueMs = 0;

  /** @param bytesPerSecond null for no limit */
  constructor(bytesPerSecond: number | null, clock: RateClock) {
    this.#msPerByte = bytesPerSecond === null ? 0 : 1000 / bytesPerSecond;
    this.#clock = clock;
  }

  /** Waits as long as the rate requires after this many bytes, at most until the signal is aborted. */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    const nowMs = this.#clock.now();
    this.#dueMs = Math.max(this.#dueMs, nowMs - SLACK_MS) + bytes * this.#msPerByte;
    if (this.#dueMs - nowMs >= SLACK_MS) await this.#clock.wait(this.#dueMs - nowMs, signal);
  }
}
