import { type ByteRange, mergeRanges, overlapsAny } from "./byte_range.ts";

/**
 * Number of ranges from which a batch is not extended. A batch is searched, merged and posted to another thread as a
 * whole, and its first caller should not wait for all later ones.
 */
const RANGES_MAX = 1024;

/** Ranges that are punched together, and the promise of all callers that requested one of them. */
interface Batch {
  /** As `mergeRanges` returns them. */
  ranges: readonly ByteRange[];
  readonly done: PromiseWithResolvers<void>;
  /** Resolves when the batch has ended, successful or not. */
  readonly isOver: Promise<void>;
}

/**
 * The ranges of a store that are being unmapped. A request is slow to start and quick to do, so one batch is under way
 * at a time, and later requests are merged into the next.
 */
export class PunchQueue {
  readonly #punch: (ranges: readonly ByteRange[]) => Promise<void>;
  /** The first one is under way. */
  readonly #batches: Batch[] = [];

  /** @param punch unmaps ranges; all callers that requested one of them get its rejection */
  constructor(punch: (ranges: readonly ByteRange[]) => Promise<void>) {
    this.#punch = punch;
  }

  get isBusy(): boolean {
    return this.#batches.length > 0;
  }

  /** Resolves when these ranges, which `mergeRanges` returned, are unmapped. */
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

  /** Returns a promise that resolves when a batch with some of these bytes has ended; undefined when there is none. */
  endOfBatchWith(offset: number, lengthBytes: number): Promise<void> | undefined {
    return this.#batches.find(({ ranges }) => overlapsAny(ranges, offset, lengthBytes))?.isOver;
  }

  /** Punches one batch after the other until none is left. */
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
