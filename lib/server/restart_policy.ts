/** Unwanted ends of workers without a minute's pause after which there is no further one. */
const ENDS_MAX = 5;
const PAUSE_MS = 60_000;

/** Decides after how many unwanted ends of workers no other is started. */
export class RestartPolicy {
  #count = 0;
  #lastMs = -Infinity;

  /** Takes note of an unwanted end, and returns why no other worker must be started, if so. */
  note(message: string, nowMs: number): string | undefined {
    this.#count = nowMs - this.#lastMs < PAUSE_MS ? this.#count + 1 : 1;
    this.#lastMs = nowMs;
    if (this.#count < ENDS_MAX) return undefined;
    return `target worker ended ${this.#count} times in a short while, last: ${message}`;
  }
}
