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
import { LinkedQueue, type QueueEntry } from "../../base/linked_queue.ts";
import { type ByteRange, mergeRanges, overlapsAny } from "../../store/byte_range.ts";
import { RangeTree } from "../../base/range_tree.ts";

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
  readonly resolve: (hold: RangeHold | undefined) => void;
  /** In order of arrival. */
  readonly number: number;
  /** The passes of the group when the request arrived. */
  readonly passesBefore: number;
  /** Undefined once the request was granted, was cancelled or has failed. */
  entry: QueueEntry<PendingRequest> | undefined;
}

/** The requests of one kind that wait for the same range. They become possible in order, so one of them is examined. */
interface WaitingGroup extends RangeHold {
  readonly kind: RequestKind;
  readonly requests: LinkedQueue<PendingRequest>;
  /** Overlapping holds that were granted to others while requests of the group have waited. */
  passes: number;
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

/** Returns whether a request belongs to a group; one on several ranges has a group of its own. */
function isAlike(
  group: WaitingGroup,
  { startBytes, endBytes, parts }: RangeHold,
  kind: RequestKind,
): boolean {
  return group.kind === kind && group.startBytes === startBytes && group.endBytes === endBytes &&
    group.parts === undefined && parts === undefined;
}

function oldestOf({ requests }: WaitingGroup): number {
  return requests.first!.number;
}

/**
 * The range locks of one medium. What a command costs grows with the logarithm of the number of holds and of waiting
 * requests, and with the number of different ranges among those that overlap its own.
 */
export class RangeLocks {
  readonly #shared = new RangeTree<RangeHold>();
  readonly #exclusive = new RangeTree<RangeHold>();
  #exclusiveCount = 0;
  readonly #waiting = new RangeTree<WaitingGroup>();
  #lastNumber = 0;

  /** Nothing is held and no request waits. */
  get isIdle(): boolean {
    return this.#shared.size === 0 && this.#exclusive.size === 0 && this.#waiting.size === 0;
  }

  /** Returns whether some of these bytes are held exclusively. Without exclusive holds this is one comparison. */
  isLocked(startBytes: number, lengthBytes: number): boolean {
    return this.#exclusiveCount !== 0 && this.#isLocked({ startBytes, endBytes: startBytes + lengthBytes });
  }

  /** Returns whether a request waits to hold some of these bytes exclusively. */
  isAwaited(startBytes: number, lengthBytes: number): boolean {
    return this.#waiting.size > 0 && this.#isAwaited({ startBytes, endBytes: startBytes + lengthBytes });
  }

  /** Takes a shared hold on a range that is not locked. */
  share(startBytes: number, lengthBytes: number): RangeHold {
    return this.#grantOutOfTurn({ startBytes, endBytes: startBytes + lengthBytes }, false);
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
    if (!this.#isLocked(range)) return this.#grantOutOfTurn(range, false);
    const hold = await this.#wait(range, "shared").hold;
    if (hold === undefined) throw new Error("A shared request failed, although only exclusive ones can");
    return hold;
  }

  /** Requests an exclusive hold. */
  lock(startBytes: number, lengthBytes: number): RangeRequest {
    const range = { startBytes, endBytes: startBytes + lengthBytes };
    return this.#isFree(range) ? this.#grantAtOnce(range, true) : this.#wait(range, "exclusive");
  }

  /** Requests a shared hold after all requests that wait now. */
  queue(startBytes: number, lengthBytes: number): RangeRequest {
    const range = { startBytes, endBytes: startBytes + lengthBytes };
    const isObstructed = this.#isLocked(range) || this.#isAwaited(range);
    return isObstructed ? this.#wait(range, "sharedInTurn") : this.#grantAtOnce(range, false);
  }

  /** Releases a hold, and grants the requests that waited for it. */
  release(hold: RangeHold): void {
    if (this.#exclusive.delete(hold)) this.#exclusiveCount--;
    else this.#shared.delete(hold);
    if (this.#waiting.size > 0) this.#grantPossible(hold);
  }

  #isLocked(range: RangeHold): boolean {
    return this.#exclusive.find(range, (hold) => overlap(hold, range)) !== undefined;
  }

  /** Returns whether a request that is older than `number` waits for an exclusive hold on some of a range. */
  #isAwaited(range: RangeHold, number = Infinity): boolean {
    const isAhead = (group: WaitingGroup): boolean =>
      group.kind === "exclusive" && oldestOf(group) < number && overlap(group, range);
    return this.#waiting.find(range, isAhead) !== undefined;
  }

  #isFree(range: RangeHold): boolean {
    return !this.#isLocked(range) &&
      this.#shared.find(range, (hold) => overlap(hold, range)) === undefined;
  }

  #grant(range: RangeHold, isExclusive: boolean): void {
    if (isExclusive) {
      this.#exclusive.add(range);
      this.#exclusiveCount++;
    } else this.#shared.add(range);
  }

  /** Grants a hold that passes all requests that wait for its range. */
  #grantOutOfTurn(range: RangeHold, isExclusive: boolean): RangeHold {
    this.#grant(range, isExclusive);
    if (this.#waiting.size === 0) return range;
    for (const failed of this.#countPass(range)) this.#grantPossible(failed);
    return range;
  }

  #grantAtOnce(range: RangeHold, isExclusive: boolean): RangeRequest {
    return { hold: Promise.resolve(this.#grantOutOfTurn(range, isExclusive)), cancel: () => {} };
  }

  /** Counts a hold that was granted before exclusive requests. Returns those that are passed too often, and fail. */
  #countPass(range: RangeHold, own?: WaitingGroup): RangeHold[] {
    const failed: RangeHold[] = [];
    for (const group of this.#waiting.overlapping(range)) {
      if (group.kind !== "exclusive" || group === own || !overlap(group, range)) continue;
      group.passes++;
      for (
        let { first } = group.requests;
        first !== undefined && group.passes - first.passesBefore > PASSES_MAX;
        first = group.requests.first
      ) {
        this.#settle(group, first, undefined);
        failed.push(first.range);
      }
    }
    return failed;
  }

  #wait(range: RangeHold, kind: RequestKind): RangeRequest {
    const { promise, resolve } = Promise.withResolvers<RangeHold | undefined>();
    const group = this.#groupOf(range, kind);
    const request: PendingRequest = {
      range,
      resolve,
      number: ++this.#lastNumber,
      passesBefore: group.passes,
      entry: undefined,
    };
    request.entry = group.requests.push(request);
    return { hold: promise, cancel: () => this.#cancel(group, request) };
  }

  #groupOf(range: RangeHold, kind: RequestKind): WaitingGroup {
    const known = this.#waiting.find(range, (group) => isAlike(group, range, kind));
    if (known !== undefined) return known;
    const group = { ...range, kind, requests: new LinkedQueue<PendingRequest>(), passes: 0 };
    this.#waiting.add(group);
    return group;
  }

  /** Ends a waiting request without a hold. Later requests may have waited for it. */
  #cancel(group: WaitingGroup, request: PendingRequest): void {
    if (request.entry === undefined) return;
    this.#settle(group, request, undefined);
    this.#grantPossible(request.range);
  }

  /** Ends the wait of a request. */
  #settle(group: WaitingGroup, request: PendingRequest, hold: RangeHold | undefined): void {
    group.requests.remove(request.entry!);
    request.entry = undefined;
    request.resolve(hold);
    if (group.requests.isEmpty) this.#waiting.delete(group);
  }

  /** Grants the requests for some of a range that have become possible, the oldest first. */
  #grantPossible(range: RangeHold): void {
    // Those that fail meanwhile may have delayed others.
    const ranges = [range];
    for (let next = ranges.pop(); next !== undefined; next = ranges.pop()) {
      ranges.push(...this.#grantIn(next));
    }
  }

  #grantIn(range: RangeHold): RangeHold[] {
    const failed: RangeHold[] = [];
    const groups = this.#waiting.overlapping(range).sort((a, b) => oldestOf(b) - oldestOf(a));
    for (let group = groups.pop(); group !== undefined; group = groups.pop()) {
      const { first } = group.requests;
      if (first === undefined || !this.#isPossible(group, first)) continue;
      this.#settle(group, first, first.range);
      this.#grant(first.range, group.kind === "exclusive");
      failed.push(...this.#countPass(first.range, group));
      if (!group.requests.isEmpty) insertByAge(groups, group);
    }
    return failed;
  }

  #isPossible({ kind }: WaitingGroup, { range, number }: PendingRequest): boolean {
    if (kind === "exclusive") return this.#isFree(range);
    if (this.#isLocked(range)) return false;
    return kind === "shared" || !this.#isAwaited(range, number);
  }
}

/** Inserts a group into groups whose oldest requests are in descending order of arrival. */
function insertByAge(groups: WaitingGroup[], group: WaitingGroup): void {
  const number = oldestOf(group);
  let low = 0;
  let high = groups.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { first } = groups[middle]!.requests;
    if (first === undefined || first.number < number) high = middle;
    else low = middle + 1;
  }
  groups.splice(low, 0, group);
}
