import type { Direction } from "./block_store.ts";

/**
 * Milliseconds after which an operation counts as having blocked the event loop, and with it every session of every
 * target. A busy disk takes far less for one read, and initiators time out far later.
 */
export const BLOCKED_MS = 250;

/** Milliseconds within which an operation off the event loop ends promptly enough to be harmless on the loop. */
const PROMPT_MS = 50;

/** An unblocked medium: for this time, and for this number of operations of a kind, all of them were prompt. */
const PROMPT_FOR_MS = 10_000;
const PROMPT_COUNT_MIN = 32;

/**
 * Operations of one kind that may be under way at a time on a medium that has blocked. A Deno worker has 32 threads for
 * such work, and they must suffice for the other media, too.
 */
const UNDER_WAY_MAX = 4;

/** An operation off the event loop. */
export interface Operation {
  readonly direction: Direction;
  readonly began: number;
}

/**
 * A detector of stalled operations on a medium that is slow but not blocked. It does not time each operation, because
 * timing takes a tenth of an operation on a disk that completes tens of thousands in a second.
 */
class StallDetector {
  #begun = 0;
  #ended = 0;
  /** The value of `#ended` when operations were last known to end, and the time of that. */
  #lastEnded = 0;
  #lastMs = 0;

  /** @param now the clock, which is read only when nothing is under way */
  begin(now: () => number): void {
    if (this.#begun === this.#ended) this.#record(now());
    this.#begun++;
  }

  readonly end = (): void => {
    this.#ended++;
  };

  /** Returns whether operations are under way and none has ended for long. */
  hasStalled(now: number): boolean {
    if (this.#ended === this.#begun) return false;
    if (this.#ended !== this.#lastEnded) this.#record(now);
    return now - this.#lastMs >= BLOCKED_MS;
  }

  #record(now: number): void {
    this.#lastEnded = this.#ended;
    this.#lastMs = now;
  }
}

/** The state of one direction. */
interface Side {
  /** Operations must not be done at once. */
  isBlocked: boolean;
  promptCount: number;
  underWay: number;
}

/**
 * The state of a medium that has blocked the event loop: whether it may be used on the loop again. Times are in
 * milliseconds.
 *
 * One blocking operation, of either direction, is enough to block both, since the next operation may meet the same
 * condition. A trial on the loop would block it again. So only operations off the event loop are evidence, and each
 * direction needs its own.
 */
export class Blockage {
  readonly #sides: Readonly<Record<Direction, Side>> = {
    read: { isBlocked: false, promptCount: 0, underWay: 0 },
    write: { isBlocked: false, promptCount: 0, underWay: 0 },
  };
  /** In order of their start. */
  readonly #underWay = new Set<Operation>();
  #promptSince = 0;
  readonly #stallDetector = new StallDetector();

  /** Returns whether operations of this kind must not be done at once. */
  isBlocked(direction: Direction): boolean {
    return this.#sides[direction].isBlocked;
  }

  /**
   * Returns whether the medium hangs: one operation has been under way off the event loop for too long, or none has
   * ended for too long. It must be called often, because it compares with its previous call.
   */
  hangs(now: number): boolean {
    return this.#stallDetector.hasStalled(now) ||
      (this.#underWay.size > 0 && now - this.#oldestBegan(now) >= BLOCKED_MS);
  }

  /**
   * Follows an operation off the event loop without timing it.
   *
   * @param now the clock, which is read only when nothing of that kind is under way
   */
  follow(operation: Promise<void>, now: () => number): Promise<void> {
    this.#stallDetector.begin(now);
    operation.then(this.#stallDetector.end, this.#stallDetector.end);
    return operation;
  }

  /**
   * Records an operation on the event loop, successful or not.
   *
   * @returns whether it has blocked
   */
  tookAtOnce(began: number, ended: number): boolean {
    const hasBlocked = ended - began >= BLOCKED_MS;
    if (hasBlocked) this.#block(ended);
    return hasBlocked;
  }

  /** Returns whether another operation of this kind may begin off the event loop. */
  mayBegin(direction: Direction): boolean {
    const { isBlocked, underWay } = this.#sides[direction];
    return !isBlocked || underWay < UNDER_WAY_MAX;
  }

  /** Records the start of an operation off the event loop. */
  begin(direction: Direction, now: number): Operation {
    const operation = { direction, began: now };
    this.#underWay.add(operation);
    this.#sides[direction].underWay++;
    return operation;
  }

  /** Records the end of an operation. */
  end(operation: Operation, now: number): void {
    this.#underWay.delete(operation);
    const side = this.#sides[operation.direction];
    side.underWay--;
    const durationMs = now - operation.began;
    if (durationMs >= BLOCKED_MS && this.#isAnyBlocked()) this.#block(now);
    else if (durationMs >= PROMPT_MS) this.#restart(now);
    else if (++side.promptCount >= PROMPT_COUNT_MIN && this.#isPromptForLong(now)) side.isBlocked = false;
  }

  #isAnyBlocked(): boolean {
    return this.#sides.read.isBlocked || this.#sides.write.isBlocked;
  }

  /** Returns whether all operations that ended were prompt for long enough, and all that are under way still can be. */
  #isPromptForLong(now: number): boolean {
    return now - this.#promptSince >= PROMPT_FOR_MS && now - this.#oldestBegan(now) < PROMPT_MS;
  }

  #block(now: number): void {
    for (const side of Object.values(this.#sides)) side.isBlocked = true;
    this.#restart(now);
  }

  #restart(now: number): void {
    this.#promptSince = now;
    for (const side of Object.values(this.#sides)) side.promptCount = 0;
  }

  #oldestBegan(now: number): number {
    const { value } = this.#underWay.values().next();
    return value?.began ?? now;
  }
}
