import { LinkedQueue } from "../base/linked_queue.ts";
import { Blockage, type Operation } from "./blockage.ts";
import type { BlockStore, Direction } from "./block_store.ts";
import { Pace } from "./pace.ts";
import { StoreLayer } from "./store_layer.ts";

/** Milliseconds above which a 4 KiB read has waited for the disk: twenty times what the page cache takes. */
const FAST_READ_MS = 0.04;

/**
 * Milliseconds above which a write is slow. A write to the page cache waits only when the kernel throttles it (too much
 * is dirty), and then for long. Below this limit, doing it off the event loop would take longer than it saves.
 */
const FAST_WRITE_MS = 1;

/** The reads or the writes of a store. */
interface Lane {
  readonly direction: Direction;
  readonly pace: Pace;
  /** Operations that may not begin yet, the oldest first. */
  readonly waiting: LinkedQueue<(operation: Operation) => void>;
}

/**
 * A store layer that detects when its medium is slow, and when it is fast again.
 *
 * While data is in the page cache, nothing is faster than reading it at once. When it is on a disk, each synchronous
 * read blocks all sessions, and reads wait for each other. Then the `...Now` forms return false, and the work is done
 * off the event loop, many operations at a time. Reads and writes are judged separately, because a disk that must be
 * read may have room in the cache for writes. From time to time an operation is tried at once, to see whether that is
 * fast again.
 *
 * A medium that has blocked the event loop for long is treated differently (`Blockage`), because it may do so again for
 * any time. It is not tried at once until all operations have been fast off the event loop for a while, and until then
 * few are under way at a time.
 */
export class AdaptiveStore extends StoreLayer {
  readonly #now: () => number;
  readonly #reads: Lane = { direction: "read", pace: new Pace(FAST_READ_MS), waiting: new LinkedQueue() };
  readonly #writes: Lane = { direction: "write", pace: new Pace(FAST_WRITE_MS), waiting: new LinkedQueue() };
  readonly #blockage = new Blockage();
  /** Operations were done at once and the event loop has not continued since: they are one run. */
  #isInRun = false;
  /** The last time read in this run, and whether operations that were not timed have followed. */
  #lastTime = 0;
  #hasUntimed = false;

  /** @param now returns monotonic time in milliseconds */
  constructor(store: BlockStore, now: () => number) {
    super(store);
    this.#now = now;
  }

  /**
   * Puts a layer above the medium. No operation on the medium may be under way.
   *
   * @returns a function that removes it again, at any time
   */
  interpose<Layer extends BlockStore>(
    layerOf: (lower: BlockStore) => Layer,
  ): { layer: Layer; remove: () => void } {
    const medium = this.lower;
    const layer = layerOf(medium);
    this.lower = layer;
    const remove = (): void => {
      // The medium may have been replaced since.
      if (this.lower === layer) this.lower = medium;
    };
    return { layer, remove };
  }

  /** Uses another medium from now on. No operation may be under way. */
  replaceMedium(medium: BlockStore): void {
    this.lower = medium;
  }

  override readNow(offset: number, into: Uint8Array): boolean {
    if (this.#isUntimed(this.#reads)) return this.lower.readNow(offset, into);
    const began = this.#begin(this.#reads);
    if (began === undefined) return false;
    let isDone = false;
    try {
      isDone = this.lower.readNow(offset, into);
    } finally {
      this.#end(this.#reads, began, isDone ? into.length : undefined);
    }
    return isDone;
  }

  override read(offset: number, into: Uint8Array): Promise<void> {
    if (this.#blockage.isBlocked("read")) return this.#doWatched(this.#reads, offset, into);
    const reading = this.lower.read(offset, into);
    return this.#reads.pace.isSlow ? this.#blockage.follow(reading, this.#now) : reading;
  }

  override writeNow(offset: number, from: Uint8Array): boolean {
    if (this.#isUntimed(this.#writes)) return this.lower.writeNow(offset, from);
    const began = this.#begin(this.#writes);
    if (began === undefined) return false;
    let isDone = false;
    try {
      isDone = this.lower.writeNow(offset, from);
    } finally {
      this.#end(this.#writes, began, isDone ? from.length : undefined);
    }
    return isDone;
  }

  override write(offset: number, from: Uint8Array): Promise<void> {
    if (this.#blockage.isBlocked("write")) return this.#doWatched(this.#writes, offset, from);
    const writing = this.lower.write(offset, from);
    return this.#writes.pace.isSlow ? this.#blockage.follow(writing, this.#now) : writing;
  }

  /**
   * Returns whether an operation is done at once without being timed. Reading the clock takes a tenth of a small
   * operation, so only some operations of a run are timed. Each run is timed as a whole, which detects every block.
   */
  #isUntimed({ pace }: Lane): boolean {
    if (!this.#isInRun || pace.isTimed()) return false;
    this.#hasUntimed = true;
    return true;
  }

  /** Begins a timed operation; returns undefined when it must not be done at once. */
  #begin({ direction, pace }: Lane): number | undefined {
    if (this.#blockage.isBlocked(direction)) return undefined;
    const now = this.#now();
    if (this.#hasUntimed) this.#recordUntimed(now);
    if (this.#blockage.isBlocked(direction) || this.#blockage.hangs(now) || !pace.mayTry(now)) {
      return undefined;
    }
    if (!this.#isInRun) {
      this.#isInRun = true;
      queueMicrotask(this.#endRun);
    }
    return now;
  }

  /** @param bytes undefined when the operation failed or was declined */
  #end({ pace }: Lane, began: number, bytes: number | undefined): void {
    const now = this.#now();
    this.#lastTime = now;
    this.#record(began, now);
    if (bytes !== undefined) pace.took(began, now, bytes);
  }

  readonly #endRun = (): void => {
    this.#isInRun = false;
    if (this.#hasUntimed) this.#recordUntimed(this.#now());
  };

  /** Records the time of the operations that were not timed, since the last reading of the clock. */
  #recordUntimed(now: number): void {
    this.#hasUntimed = false;
    this.#record(this.#lastTime, now);
  }

  /** Records operations on the event loop. After a block, the rest of the run is not done at once either. */
  #record(began: number, ended: number): void {
    if (this.#blockage.tookAtOnce(began, ended)) this.#isInRun = false;
  }

  /** Does an operation off the event loop in its turn, and times it. */
  async #doWatched(lane: Lane, offset: number, bytes: Uint8Array): Promise<void> {
    const { direction, waiting } = lane;
    const operation = this.#blockage.mayBegin(direction)
      ? this.#blockage.begin(direction, this.#now())
      : await new Promise<Operation>((resolve) => waiting.push(resolve));
    try {
      await this.lower[direction](offset, bytes);
    } finally {
      this.#blockage.end(operation, this.#now());
      this.#admit(lane);
    }
  }

  /** Begins the waiting operations that may begin. */
  #admit({ direction, waiting }: Lane): void {
    while (!waiting.isEmpty && this.#blockage.mayBegin(direction)) {
      waiting.shift()!(this.#blockage.begin(direction, this.#now()));
    }
  }
}
