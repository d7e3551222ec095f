/**
 * Range locks of a medium. Commands that must not be interrupted (COMPARE AND WRITE, WRITE ATOMIC, ORWRITE) use them to
 * run alone on their range, however slow the medium is and however many pieces a transfer has.
 *
 * There are two kinds of holds, as with a readers-writer lock: transfers share a range, and an uninterrupted command
 * holds it exclusively. One rule prevents deadlocks. A transfer that has begun waits only for an exclusive *hold*,
 * which depends on nothing but the medium, and never for an exclusive request that waits. (A transfer may itself wait
 * for data of its initiator, and that for buffers that other transfers occupy.) A transfer that has not begun occupies
 * nothing, and waits for its turn. An exclusive request that shared holds pass too often fails, and its command ends
 * with a status that asks for a retry.
 */
import { type ByteRange, mergeRanges, overlapsAny } from "../../store/byte_range.ts";

/** A held range; only its owner releases it. */
export interface RangeHold {
  readonly startBytes: number;
  readonly endBytes: number;
  /**
   * The held ranges between `startBytes` and `endBytes`, as `mergeRanges` returns them; without them, the whole range
   * is held.
   */
  readonly parts?: readonly ByteRange[];
}

/**
 * The kind of a request: an exclusive hold; a shared hold after all earlier exclusive requests; or a shared hold as
 * soon as no exclusive hold is in the way.
 */
type RequestKind = "exclusive" | "sharedInTurn" | "shared";

interface PendingRequest {
  readonly range: RangeHold;
  readonly kind: RequestKind;
  readonly resolve: (hold: RangeHold | undefined) => void;
  /** Overlapping holds that were granted since the request began to wait. */
  passedCount: number;
  /** The request was granted, was cancelled or has failed. */
  isSettled: boolean;
}

/** A request for an exclusive hold, or for a shared one in turn. */
export interface RangeRequest {
  /** Resolves to the hold; to undefined when the request was cancelled or passed too often. */
  readonly hold: Promise<RangeHold | undefined>;
  /** Cancels the request; without effect once the hold is granted. */
  cancel(): void;
}

/** Maximum number of overlapping holds that may be granted while an exclusive request waits. */
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

/** The range locks of one medium. */
export class RangeLocks {
  readonly #shared = new Set<RangeHold>();
  readonly #exclusive = new Set<RangeHold>();
  #exclusiveCount = 0;
  /** In order of arrival. While requests are being granted, settled ones remain in the list. */
  #waiting: PendingRequest[] = [];
  #isGranting = false;

  /** Nothing is held and no request waits. */
  get isIdle(): boolean {
    return this.#shared.size === 0 && this.#exclusive.size === 0 && this.#waiting.length === 0;
  }

  /** Returns whether some of these bytes are held exclusively. Without exclusive holds this is one comparison. */
  isLocked(startBytes: number, lengthBytes: number): boolean {
    return this.#exclusiveCount !== 0 && this.#isLocked({ startBytes, endBytes: startBytes + lengthBytes });
  }

  /** Returns whether a request waits to hold some of these bytes exclusively. */
  isAwaited(startBytes: number, lengthBytes: number): boolean {
    if (this.#waiting.length === 0) return false;
    return this.#isAwaited({ startBytes, endBytes: startBytes + lengthBytes }, this.#waiting.length);
  }

  /** Takes a shared hold on a range that is not locked. */
  share(startBytes: number, lengthBytes: number): RangeHold {
    return this.#grant({ startBytes, endBytes: startBytes + lengthBytes }, false);
  }

  /** Takes a shared hold as soon as the range is not locked. */
  shareLater(startBytes: number, lengthBytes: number): Promise<RangeHold> {
    return this.#shareLater({ startBytes, endBytes: startBytes + lengthBytes });
  }

  /** Takes one shared hold on several ranges as soon as none of them is locked. */
  shareAllLater(ranges: readonly ByteRange[]): Promise<RangeHold> {
    const parts = mergeRanges(ranges);
    const [first, last] = [parts[0]!, parts.at(-1)!];
    return this.#shareLater({ startBytes: first.offset, endBytes: last.offset + last.lengthBytes, parts });
  }

  async #shareLater(range: RangeHold): Promise<RangeHold> {
    if (!this.#isLocked(range)) return this.#grant(range, false);
    const hold = await this.#wait(range, "shared").hold;
    if (hold === undefined) throw new Error("A shared request failed, although only exclusive ones can");
    return hold;
  }

  /** Requests an exclusive hold. */
  lock(startBytes: number, lengthBytes: number): RangeRequest {
    const range = { startBytes, endBytes: startBytes + lengthBytes };
    if (!this.#isFree(range)) return this.#wait(range, "exclusive");
    return { hold: Promise.resolve(this.#grant(range, true)), cancel: () => {} };
  }

  /** Requests a shared hold after all requests that wait now. */
  queue(startBytes: number, lengthBytes: number): RangeRequest {
    const request = this.#wait({ startBytes, endBytes: startBytes + lengthBytes }, "sharedInTurn");
    this.#grantPossible();
    return request;
  }

  /** Releases a hold, and grants the requests that waited for it. */
  release(hold: RangeHold): void {
    if (this.#exclusive.delete(hold)) this.#exclusiveCount--;
    this.#shared.delete(hold);
    if (this.#waiting.length > 0) this.#grantPossible();
  }

  #isLocked(range: RangeHold): boolean {
    for (const hold of this.#exclusive) {
      if (overlap(hold, range)) return true;
    }
    return false;
  }

  /** Returns whether one of the first `count` requests waits for an exclusive hold on some of a range. */
  #isAwaited(range: RangeHold, count: number): boolean {
    for (let index = 0; index < count; index++) {
      const waiting = this.#waiting[index]!;
      if (waiting.kind === "exclusive" && !waiting.isSettled && overlap(waiting.range, range)) return true;
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

  #grant(range: RangeHold, isExclusive: boolean): RangeHold {
    if (isExclusive) {
      this.#exclusive.add(range);
      this.#exclusiveCount++;
    } else this.#shared.add(range);
    if (this.#waiting.length > 0) this.#countPass(range);
    return range;
  }

  #countPass(range: RangeHold): void {
    for (const waiting of this.#waiting) {
      if (waiting.kind !== "exclusive" || waiting.isSettled || !overlap(waiting.range, range)) continue;
      if (++waiting.passedCount > PASSES_MAX) this.#settle(waiting, undefined);
    }
    this.#removeSettled();
  }

  #wait(range: RangeHold, kind: RequestKind): RangeRequest {
    const { promise, resolve } = Promise.withResolvers<RangeHold | undefined>();
    const waiting: PendingRequest = { range, kind, resolve, passedCount: 0, isSettled: false };
    this.#waiting.push(waiting);
    return { hold: promise, cancel: () => this.#cancel(waiting) };
  }

  /** Ends a waiting request without a hold. Later requests may have waited for it. */
  #cancel(waiting: PendingRequest): void {
    if (waiting.isSettled) return;
    this.#settle(waiting, undefined);
    this.#grantPossible();
  }

  #settle(waiting: PendingRequest, hold: RangeHold | undefined): void {
    waiting.isSettled = true;
    waiting.resolve(hold);
  }

  /** Grants the requests that have become possible, the oldest first, in one pass. */
  #grantPossible(): void {
    this.#isGranting = true;
    for (const [index, waiting] of this.#waiting.entries()) {
      if (waiting.isSettled || !this.#isPossible(waiting, index)) continue;
      waiting.isSettled = true;
      waiting.resolve(this.#grant(waiting.range, waiting.kind === "exclusive"));
    }
    this.#isGranting = false;
    this.#removeSettled();
  }

  /** Removes settled requests. */
  #removeSettled(): void {
    if (this.#isGranting || !this.#waiting.some(({ isSettled }) => isSettled)) return;
    this.#waiting = this.#waiting.filter(({ isSettled }) => !isSettled);
  }

  #isPossible({ range, kind }: PendingRequest, index: number): boolean {
    if (kind === "exclusive") return this.#isFree(range);
    if (this.#isLocked(range)) return false;
    return kind === "shared" || !this.#isAwaited(range, index);
  }
}
