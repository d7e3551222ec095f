import { Blockage, type Direction, type Operation } from "./blockage.ts";
import type { BlockStore } from "./block_store.ts";
import { Pace } from "./pace.ts";
import { StoreLayer } from "./store_layer.ts";

/** Above this a read has waited for the disk: it is twenty times what the page cache takes for 4 KiB. */
const FAST_READ_MS = 0.04;

/**
 * A write to the page cache waits only when the kernel makes it (too much is dirty), and then for long. Below this,
 * doing it off the event loop would cost more than it saves.
 */
const FAST_WRITE_MS = 1;

/** The operations of one direction. */
interface Lane {
  readonly direction: Direction;
  readonly pace: Pace;
  /** Those that may not begin yet, oldest first. */
  readonly waiting: ((operation: Operation) => void)[];
}

/**
 * A store that notices by itself when its medium is slow, and when it is fast again.
 *
 * As long as data comes from the page cache nothing beats doing it at once. When it comes from a disk, each read done
 * at once makes everybody wait for it, and reads wait for each other; then the `...Now` forms decline, and the work is
 * done off the event loop, many at a time. Reads and writes are judged apart: a disk that must be read may well have
 * room in the cache for what is written. Now and then an operation is tried at once, to see whether that is fast again.
 *
 * A medium that has blocked the event loop for long is another matter (`Blockage`): it may do so again for as long as
 * it likes. It is not tried at once before all has been well off the event loop for a while, and until then few
 * operations are under way at a time.
 */
export class AdaptiveStore extends StoreLayer {
  readonly #now: () => number;
  readonly #reads: Lane = { direction: "read", pace: new Pace(FAST_READ_MS), waiting: [] };
  readonly #writes: Lane = { direction: "write", pace: new Pace(FAST_WRITE_MS), waiting: [] };
  readonly #blockage = new Blockage();
  /** Operations are done one after the other, and the event loop has not gone on since the first of them. */
  #isInRun = false;
  /** The time that was read last in this run, and whether operations have followed that were not timed. */
  #readAt = 0;
  #hasUntimed = false;

  /** @param now a clock in milliseconds that never goes back */
  constructor(store: BlockStore, now: () => number) {
    super(store);
    this.#now = now;
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
    if (this.#blockage.isBlocked("read")) return this.#watch(this.#reads, offset, into);
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
    if (this.#blockage.isBlocked("write")) return this.#watch(this.#writes, offset, from);
    const writing = this.lower.write(offset, from);
    return this.#writes.pace.isSlow ? this.#blockage.follow(writing, this.#now) : writing;
  }

  /**
   * Returns whether an operation is done at once without a look at the clock, which takes a tenth of a small one.
   * Within a run of operations only some are timed; but every run is, from its first operation to its end, so that no
   * block goes unnoticed.
   */
  #isUntimed({ pace }: Lane): boolean {
    if (!this.#isInRun || pace.isTimed()) return false;
    this.#hasUntimed = true;
    return true;
  }

  /** Begins an operation that is timed; undefined when it must not be done at once. */
  #begin({ direction, pace }: Lane): number | undefined {
    if (this.#blockage.isBlocked(direction)) return undefined;
    const now = this.#now();
    if (this.#hasUntimed) this.#noteUntimed(now);
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
    this.#readAt = now;
    this.#note(began, now);
    if (bytes !== undefined) pace.took(began, now, bytes);
  }

  readonly #endRun = (): void => {
    this.#isInRun = false;
    if (this.#hasUntimed) this.#noteUntimed(this.#now());
  };

  /** Takes note of the operations that were not timed, by the time since the last look at the clock. */
  #noteUntimed(now: number): void {
    this.#hasUntimed = false;
    this.#note(this.#readAt, now);
  }

  /** After a block not even those of the same run are done at once. */
  #note(began: number, ended: number): void {
    if (this.#blockage.tookAtOnce(began, ended)) this.#isInRun = false;
  }

  /** Has an operation off the event loop done in its turn, and timed. */
  async #watch(lane: Lane, offset: number, bytes: Uint8Array): Promise<void> {
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

  /** Lets those begin that wait, as far as they may. */
  #admit({ direction, waiting }: Lane): void {
    while (waiting.length > 0 && this.#blockage.mayBegin(direction)) {
      waiting.shift()!(this.#blockage.begin(direction, this.#now()));
    }
  }
}
