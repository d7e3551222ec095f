import { type ByteRange, mergeRanges, overlapsAny } from "./byte_range.ts";

/** Ranges that are worked on together, and the promise of all who asked for one of them. */
interface Batch {
  /** As `mergeRanges` makes them. */
  ranges: ByteRange[];
  readonly done: PromiseWithResolvers<void>;
}

/**
 * Ranges of a store that are being unmapped. It takes long to begin and short to do, so one batch is under way at a
 * time, and all that is asked for meanwhile is merged into the next.
 */
export class PunchQueue {
  readonly #punch: (ranges: readonly ByteRange[]) => Promise<void>;
  #running: Batch | undefined;
  #collected: Batch | undefined;

  /** @param punch unmaps ranges; what it rejects with goes to all who asked for one of them */
  constructor(punch: (ranges: readonly ByteRange[]) => Promise<void>) {
    this.#punch = punch;
  }

  get isBusy(): boolean {
    return this.#running !== undefined;
  }

  /** Resolves when these ranges are unmapped. */
  add(ranges: readonly ByteRange[]): Promise<void> {
    this.#collected ??= { ranges: [], done: Promise.withResolvers() };
    this.#collected.ranges = mergeRanges([...this.#collected.ranges, ...ranges]);
    const { promise } = this.#collected.done;
    if (this.#running === undefined) this.#runNext();
    return promise;
  }

  /** Resolves when nothing that overlaps these bytes is under way or waiting, however that ended. */
  async settled(offset: number, lengthBytes: number): Promise<void> {
    while (true) {
      const batch = this.#batchWith(offset, lengthBytes);
      if (batch === undefined) return;
      await batch.done.promise.catch(() => {});
    }
  }

  #batchWith(offset: number, lengthBytes: number): Batch | undefined {
    return [this.#collected, this.#running]
      .find((batch) => batch !== undefined && overlapsAny(batch.ranges, offset, lengthBytes));
  }

  async #runNext(): Promise<void> {
    const batch = this.#collected;
    if (batch === undefined) return;
    this.#running = batch;
    this.#collected = undefined;
    try {
      await this.#punch(batch.ranges);
      this.#running = undefined;
      batch.done.resolve();
    } catch (error) {
      this.#running = undefined;
      batch.done.reject(error);
    }
    this.#runNext();
  }
}
