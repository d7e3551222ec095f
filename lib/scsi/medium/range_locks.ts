/**
 * Who is at work where on a medium, so that commands which promise to be uninterrupted (COMPARE AND WRITE, WRITE
 * ATOMIC, ORWRITE) are so with regard to every other command, however slow the medium and however many pieces it comes
 * in.
 *
 * Two kinds of holds, as with any lock of readers and writers: transfers share a range with each other, and an
 * uninterrupted command has it for itself. One rule keeps it free of deadlocks: a transfer that has begun waits only
 * for a command that *has* its range, which depends on nothing but the medium, and never for one that waits for it. (A
 * transfer may itself wait for its initiator's data, and that for buffers which other transfers occupy.) One that has
 * not begun, and so occupies nothing, waits for its turn. A command that is passed too often by those who need not
 * wait is told so, and ends with a status that asks to try again.
 */
import { type ByteRange, mergeRanges, overlapsAny } from "../../store/byte_range.ts";

/** Bytes that a command holds; only whoever got it gives it back. */
export interface RangeHold {
  readonly startBytes: number;
  readonly endBytes: number;
  /** The ranges between those ends that are held, as `mergeRanges` makes them; without them all is. */
  readonly parts?: readonly ByteRange[];
}

/** For what somebody waits: a range of his own; his turn to share one; or only that nobody else has it. */
type Wish = "own" | "turn" | "share";

interface Waiting {
  readonly range: RangeHold;
  readonly wish: Wish;
  readonly settle: (hold: RangeHold | undefined) => void;
  /** Holds that were given to others, on bytes of this one, since it began to wait. */
  passedCount: number;
  /** It waits no longer. */
  isOver: boolean;
}

/** A request for a range, of one's own or in one's turn. */
export interface RangeRequest {
  /** Resolves to the hold, or to undefined when the request was cancelled, or passed too often. */
  readonly hold: Promise<RangeHold | undefined>;
  /** Gives up waiting; without effect on a hold that has been given. */
  cancel(): void;
}

/** How often a request for a range of its own may be passed by transfers. */
export const PASSES_MAX = 1000;

function overlap(a: RangeHold, b: RangeHold): boolean {
  if (a.startBytes >= b.endBytes || b.startBytes >= a.endBytes) return false;
  if (a.parts === undefined) return b.parts === undefined || hasPartIn(b.parts, a);
  return b.parts === undefined
    ? hasPartIn(a.parts, b)
    : b.parts.some((part) => overlapsAny(a.parts!, part.offset, part.lengthBytes));
}

function hasPartIn(parts: readonly ByteRange[], { startBytes, endBytes }: RangeHold): boolean {
  return overlapsAny(parts, startBytes, endBytes - startBytes);
}

/** The holds on one medium. */
export class RangeLocks {
  readonly #shared = new Set<RangeHold>();
  readonly #exclusive = new Set<RangeHold>();
  #exclusiveCount = 0;
  /** In the order in which they came. While some are served, those that are over are still among them. */
  #waiting: Waiting[] = [];
  #isServing = false;

  /** Nobody is at work anywhere, nor waits to be. */
  get isIdle(): boolean {
    return this.#shared.size === 0 && this.#exclusive.size === 0 && this.#waiting.length === 0;
  }

  /** Whether somebody has some of these bytes for itself. This is all that it costs while nobody has any. */
  isLocked(startBytes: number, lengthBytes: number): boolean {
    return this.#exclusiveCount !== 0 && this.#isLocked({ startBytes, endBytes: startBytes + lengthBytes });
  }

  /** Whether somebody waits to have some of these bytes for himself. */
  isAwaited(startBytes: number, lengthBytes: number): boolean {
    if (this.#waiting.length === 0) return false;
    return this.#isAwaited({ startBytes, endBytes: startBytes + lengthBytes }, this.#waiting.length);
  }

  /** Holds a range that is not locked, together with others. */
  share(startBytes: number, lengthBytes: number): RangeHold {
    return this.#give({ startBytes, endBytes: startBytes + lengthBytes }, false);
  }

  /** Holds a range together with others, as soon as it is not locked. */
  shareLater(startBytes: number, lengthBytes: number): Promise<RangeHold> {
    return this.#shareLater({ startBytes, endBytes: startBytes + lengthBytes });
  }

  /** Holds several ranges together with others, as soon as none of them is locked: one hold, however many they are. */
  shareAllLater(ranges: readonly ByteRange[]): Promise<RangeHold> {
    const parts = mergeRanges(ranges);
    const [first, last] = [parts[0]!, parts.at(-1)!];
    return this.#shareLater({ startBytes: first.offset, endBytes: last.offset + last.lengthBytes, parts });
  }

  async #shareLater(range: RangeHold): Promise<RangeHold> {
    if (!this.#isLocked(range)) return this.#give(range, false);
    const hold = await this.#wait(range, "share").hold;
    if (hold === undefined) throw new Error("Only requests for a range of one's own are given up");
    return hold;
  }

  /** Asks for a range that nobody else holds any of. */
  lock(startBytes: number, lengthBytes: number): RangeRequest {
    const range = { startBytes, endBytes: startBytes + lengthBytes };
    if (!this.#isFree(range)) return this.#wait(range, "own");
    return { hold: Promise.resolve(this.#give(range, true)), cancel: () => {} };
  }

  /** Asks to share a range when those have had it who wait for it now. */
  queue(startBytes: number, lengthBytes: number): RangeRequest {
    const request = this.#wait({ startBytes, endBytes: startBytes + lengthBytes }, "turn");
    this.#serve();
    return request;
  }

  /** Gives a hold back, and passes on what it kept from others. */
  release(hold: RangeHold): void {
    if (this.#exclusive.delete(hold)) this.#exclusiveCount--;
    this.#shared.delete(hold);
    if (this.#waiting.length > 0) this.#serve();
  }

  #isLocked(range: RangeHold): boolean {
    for (const hold of this.#exclusive) {
      if (overlap(hold, range)) return true;
    }
    return false;
  }

  /** Whether one of the first `count` who wait wants some of a range for himself. */
  #isAwaited(range: RangeHold, count: number): boolean {
    for (let index = 0; index < count; index++) {
      const waiting = this.#waiting[index]!;
      if (waiting.wish === "own" && !waiting.isOver && overlap(waiting.range, range)) return true;
    }
    return false;
  }

  #isFree(range: RangeHold): boolean {
    if (this.#isLocked(range)) return false;
    for (const hold of this.#shared) {
      if (overlap(hold, range)) return false;
    }
    return true;
  }

  #give(range: RangeHold, isExclusive: boolean): RangeHold {
    if (isExclusive) {
      this.#exclusive.add(range);
      this.#exclusiveCount++;
    } else this.#shared.add(range);
    if (this.#waiting.length > 0) this.#countPass(range);
    return range;
  }

  #countPass(range: RangeHold): void {
    for (const waiting of this.#waiting) {
      if (waiting.wish !== "own" || waiting.isOver || !overlap(waiting.range, range)) continue;
      if (++waiting.passedCount > PASSES_MAX) this.#end(waiting, undefined);
    }
    this.#sweep();
  }

  #wait(range: RangeHold, wish: Wish): RangeRequest {
    const { promise, resolve } = Promise.withResolvers<RangeHold | undefined>();
    const waiting: Waiting = { range, wish, settle: resolve, passedCount: 0, isOver: false };
    this.#waiting.push(waiting);
    return { hold: promise, cancel: () => this.#forget(waiting) };
  }

  /** Ends a request without a hold, if it still waits; those behind it may have waited for that. */
  #forget(waiting: Waiting): void {
    if (waiting.isOver) return;
    this.#end(waiting, undefined);
    this.#serve();
  }

  #end(waiting: Waiting, hold: RangeHold | undefined): void {
    waiting.isOver = true;
    waiting.settle(hold);
  }

  /** Gives what has become free to those who wait for it, the oldest first: once through the list, however many. */
  #serve(): void {
    this.#isServing = true;
    for (const [index, waiting] of this.#waiting.entries()) {
      if (waiting.isOver || !this.#mayHave(waiting, index)) continue;
      waiting.isOver = true;
      waiting.settle(this.#give(waiting.range, waiting.wish === "own"));
    }
    this.#isServing = false;
    this.#sweep();
  }

  /** Drops those that are over. */
  #sweep(): void {
    if (this.#isServing || !this.#waiting.some(({ isOver }) => isOver)) return;
    this.#waiting = this.#waiting.filter(({ isOver }) => !isOver);
  }

  #mayHave({ range, wish }: Waiting, index: number): boolean {
    if (wish === "own") return this.#isFree(range);
    if (this.#isLocked(range)) return false;
    return wish === "share" || !this.#isAwaited(range, index);
  }
}
