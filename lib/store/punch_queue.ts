import { LinkedQueue } from "../base/linked_queue.ts";
import { type ByteRange, insertRange, overlapsAny } from "./byte_range.ts";

/**
 * Number of ranges from which a batch is not extended. A batch is searched, merged and posted to another thread as a
 * whole, and its first caller should not wait for all later ones.
 */
const RANGES_MAX = 1024;

/**
 * Number of batches. Further requests wait until a batch has ended, because every write beside them searches all
 * batches.
 */
const BATCHES_MAX = 8;

/** Ranges that are punched together, and the promise of all callers that requested one of them. */
interface Batch {
  /** As `mergeRanges` returns them. */
  readonly ranges: ByteRange[];
  readonly done: PromiseWithResolvers<void>;
  /** Resolves when the batch has ended, successful or not. */
  readonly isOver: Promise<void>;
}

/** A request that waits until there is room for another batch. */
interface Request {
  readonly ranges: readonly ByteRange[];
  readonly done: PromiseWithResolvers<void>;
}

/**
 * The ranges of a store that are being unmapped. A request is slow to start and quick to do, so one batch is under way
 * at a time, and later requests are merged into the next.
 */
export class PunchQueue {
  readonly #punch: (ranges: readonly ByteRange[]) => Promise<void>;
  /** The first one is under way. */
  readonly #batches: Batch[] = [];
  readonly #requests = new LinkedQueue<Request>();

  /** @param punch unmaps ranges; all callers that requested one of them get its rejection */
  constructor(punch: (ranges: readonly ByteRange[]) => Promise<void>) {
    this.#punch = punch;
  }

  get isBusy(): boolean {
    return this.#batches.length > 0;
  }

  /** Resolves when these ranges, which `mergeRanges` returned, are unmapped. */
  add(ranges: readonly ByteRange[]): Promise<void> {
    const batch = this.#requests.isEmpty ? this.#addToBatch(ranges) : undefined;
    if (batch !== undefined) return batch.done.promise;
    const done = Promise.withResolvers<void>();
    this.#requests.push({ ranges, done });
    return done.promise;
  }

  /** Adds ranges to the last batch that waits, or to a new one; returns undefined when there is no room for them. */
  #addToBatch(ranges: readonly ByteRange[]): Batch | undefined {
    const last = this.#batches.length > 1 ? this.#batches.at(-1) : undefined;
    if (last !== undefined && last.ranges.length + ranges.length <= RANGES_MAX) {
      for (const range of ranges) insertRange(last.ranges, range);
      return last;
    }
    if (this.#batches.length === BATCHES_MAX) return undefined;
    const done = Promise.withResolvers<void>();
    const batch = { ranges: [...ranges], done, isOver: done.promise.catch(() => {}) };
    this.#batches.push(batch);
    if (this.#batches.length === 1) this.#run();
    return batch;
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
        this.#leave();
        batch.done.resolve();
      } catch (error) {
        this.#leave();
        batch.done.reject(error);
      }
    }
  }

  /** Removes the batch that has ended, and adds the requests for which there is room then. */
  #leave(): void {
    this.#batches.shift();
    for (let next = this.#requests.first; next !== undefined; next = this.#requests.first) {
      const batch = this.#addToBatch(next.ranges);
      if (batch === undefined) return;
      this.#requests.shift();
      next.done.resolve(batch.done.promise);
    }
  }
}
