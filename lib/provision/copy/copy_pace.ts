/** The pace of a copy. */
export interface CopyPaceOptions {
  /** Undefined for as fast as possible. */
  readonly bytesPerSecond: number | undefined;
  /** The share of the time in which it works, above 0 up to 1. */
  readonly share: number;
  /** Returns monotonic time in milliseconds. */
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

/** Milliseconds of work between two rests. */
const WORK_MS = 2;
/** The same where a rest only lets the process do its other work. */
const WORK_ALONE_MS = 50;

/** Slows a copy down, and lets the process do its other work between pieces. */
export class CopyPace {
  readonly #options: CopyPaceOptions;
  readonly #startedMs: number;
  #restedMs: number;
  #bytes = 0;

  constructor(options: CopyPaceOptions) {
    this.#options = options;
    this.#startedMs = this.#restedMs = options.now();
  }

  /** Rests as long as the pace requires after this many more bytes. */
  async rest(bytes: number): Promise<void> {
    const { now, sleep, bytesPerSecond, share } = this.#options;
    this.#bytes += bytes;
    const time = now();
    const workedMs = time - this.#restedMs;
    const dueMs = bytesPerSecond === undefined
      ? 0
      : this.#startedMs + this.#bytes / bytesPerSecond * 1000 - time;
    const isWorkDone = workedMs >= (share < 1 ? WORK_MS : WORK_ALONE_MS);
    const restMs = Math.max(dueMs, isWorkDone ? workedMs * (1 / share - 1) : 0);
    if (!isWorkDone && restMs <= 0) return;
    await sleep(restMs);
    this.#restedMs = now();
  }
}
