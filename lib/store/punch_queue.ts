import { type ByteRange, mergeRanges, overlapsAny } from "./byte_range.ts";

/**
 * Ranges from which on a batch takes no more. A batch is searched and merged, and posted to another thread, in one
 * piece; and the first who asked should not wait for all who came later.
 */
const RANGES_MAX = 1024;

/** Ranges that are worked on together, and the promise of all who asked for one of them. */
interface Batch {
  /** As `mergeRanges` makes them. */
  ranges: readonly ByteRange[];
  readonly done: PromiseWithResolvers<void>;
  /** Resolves when the batch is over, however it ended. */
  readonly isOver: Promise<void>;
}

/**
 * Ranges of a store that are being unmapped. It takes long to begin and short to do, so one batch is under way at a
 * time, and all that is asked for meanwhile is merged into the next.
 */
export class PunchQueue {
  readonly #punch: (ranges: readonly ByteRange[]) => Promise<void>;
  /** The first one is under way. */
  readonly #batches: Batch[] = [];

  /** @param punch unmaps ranges; what it rejects with goes to all who asked for one of them */
  constructor(punch: (ranges: readonly ByteRange[]) => Promise<void>) {
    this.#punch = punch;
  }

  get isBusy(): boolean {
    return this.#batches.length > 0;
  }

  /** Resolves when these ranges, which are as `mergeRanges` makes them, are unmapped. */
  add(ranges: readonly ByteRange[]): Promise<void> {
    const last = this.#batches.length > 1 ? this.#batches.at(-1) : undefined;
    if (last !== undefined && last.ranges.length + ranges.length <= RANGES_MAX) {
      last.ranges = mergeRanges([...last.ranges, ...ranges]);
      return last.done.promise;
    }
    const done = Promise.withResolvers<void>();
    this.#batches.push({ ranges, done, isOver: done.promise.catch(() => {}) });
    if (this.#batches.length === 1) this.#run();
    return done.promise;
  }

  /**
   * Returns a promise that resolves when some of what keeps others from these bytes is over; undefined when nothing
   * does.
   */
  over(offset: number, lengthBytes: number): Promise<void> | undefined {
    return this.#batches.find(({ ranges }) => overlapsAny(ranges, offset, lengthBytes))?.isOver;
  }

  /** Works on one batch after the other until none is left. */
  async #run(): Promise<void> {
    for (let batch = this.#batches[0]; batch !== undefined; batch = this.#batches[0]) {
      try {
        await this.#punch(batch.ranges);
        this.#batches.shift();
        batch.done.resolve();
      } catch (error) {
        this.#batches.shift();
        batch.done.reject(error);
      }
    }
  }
}
