/**
 * Milliseconds from which on an operation has blocked the event loop, and with it every session of every target. A busy
 * disk takes far less for one read, and an initiator waits far longer.
 */
export const BLOCKED_MS = 250;

/** Milliseconds that an operation off the event loop takes at most for it to be harmless on the loop. */
const PROMPT_MS = 50;

/** For so long, and over so many operations of its kind, all must have been prompt before it is done at once again. */
const CALM_MS = 10_000;
const CALM_COUNT = 32;

/**
 * Operations of one kind that a medium which has blocked may be at work on at once. Deno has 32 threads for such work
 * in a worker, and they must be enough for the other media, too.
 */
const UNDER_WAY_MAX = 4;

/** Bytes go from the medium or to it. */
export type Direction = "read" | "write";

/** An operation off the event loop. */
export interface Operation {
  readonly direction: Direction;
  readonly began: number;
}

/**
 * Notices cheaply whether operations that are merely slow come to an end. None is timed by itself: that takes a tenth
 * of one of the tens of thousands that a disk completes in a second.
 */
class Progress {
  #begun = 0;
  #ended = 0;
  /** How many had ended when it was last known that they do, and when that was. */
  #lastEnded = 0;
  #lastMs = 0;

  /** @param now read only when nothing is under way */
  begin(now: () => number): void {
    if (this.#begun === this.#ended) this.#note(now());
    this.#begun++;
  }

  readonly end = (): void => {
    this.#ended++;
  };

  /** Returns whether some are under way and none has ended for long. */
  hasStalled(now: number): boolean {
    if (this.#ended === this.#begun) return false;
    if (this.#ended !== this.#lastEnded) this.#note(now);
    return now - this.#lastMs >= BLOCKED_MS;
  }

  #note(now: number): void {
    this.#lastEnded = this.#ended;
    this.#lastMs = now;
  }
}

/** The operations of one direction. */
interface Side {
  /** They must not be done at once. */
  isBlocked: boolean;
  promptCount: number;
  underWay: number;
}

/**
 * Judges whether a medium that has blocked the event loop may be used on it again. Times are in milliseconds.
 *
 * One operation is enough, in whichever direction: then neither reads nor writes are done at once, since the next may
 * meet the same. Trying would block the loop again. So only operations off the event loop are evidence, and each
 * direction needs its own.
 */
export class Blockage {
  readonly #sides: Readonly<Record<Direction, Side>> = {
    read: { isBlocked: false, promptCount: 0, underWay: 0 },
    write: { isBlocked: false, promptCount: 0, underWay: 0 },
  };
  /** In the order in which they began. */
  readonly #underWay = new Set<Operation>();
  #calmSince = 0;
  readonly #progress = new Progress();

  /** Returns whether operations of this kind must not be done at once. */
  isBlocked(direction: Direction): boolean {
    return this.#sides[direction].isBlocked;
  }

  /**
   * Returns whether the medium hangs now: an operation off the event loop has not ended for long, or none has of those
   * that were not timed. To be asked often, as each answer depends on the time of the one before.
   */
  hangs(now: number): boolean {
    return this.#progress.hasStalled(now) ||
      (this.#underWay.size > 0 && now - this.#oldestBegan(now) >= BLOCKED_MS);
  }

  /**
   * Takes note of an operation off the event loop without timing it.
   *
   * @param now a clock, which is read only when nothing of that kind is under way
   */
  follow(operation: Promise<void>, now: () => number): Promise<void> {
    this.#progress.begin(now);
    operation.then(this.#progress.end, this.#progress.end);
    return operation;
  }

  /**
   * Takes note of an operation on the event loop; whether it failed does not matter.
   *
   * @returns whether it has blocked
   */
  tookAtOnce(began: number, ended: number): boolean {
    const hasBlocked = ended - began >= BLOCKED_MS;
    if (hasBlocked) this.#block(ended);
    return hasBlocked;
  }

  /** Returns whether one more operation of this kind may begin off the event loop. */
  mayBegin(direction: Direction): boolean {
    const { isBlocked, underWay } = this.#sides[direction];
    return !isBlocked || underWay < UNDER_WAY_MAX;
  }

  /** Takes note of an operation off the event loop that begins. */
  begin(direction: Direction, now: number): Operation {
    const operation = { direction, began: now };
    this.#underWay.add(operation);
    this.#sides[direction].underWay++;
    return operation;
  }

  /** Takes note of its end. */
  end(operation: Operation, now: number): void {
    this.#underWay.delete(operation);
    const side = this.#sides[operation.direction];
    side.underWay--;
    const durationMs = now - operation.began;
    if (durationMs >= BLOCKED_MS && this.#isAnyBlocked()) this.#block(now);
    else if (durationMs >= PROMPT_MS) this.#restart(now);
    else if (++side.promptCount >= CALM_COUNT && this.#isCalm(now)) side.isBlocked = false;
  }

  #isAnyBlocked(): boolean {
    return this.#sides.read.isBlocked || this.#sides.write.isBlocked;
  }

  /** Returns whether all that ended was prompt for long enough, and all that is under way still can be. */
  #isCalm(now: number): boolean {
    return now - this.#calmSince >= CALM_MS && now - this.#oldestBegan(now) < PROMPT_MS;
  }

  #block(now: number): void {
    for (const side of Object.values(this.#sides)) side.isBlocked = true;
    this.#restart(now);
  }

  #restart(now: number): void {
    this.#calmSince = now;
    for (const side of Object.values(this.#sides)) side.promptCount = 0;
  }

  #oldestBegan(now: number): number {
    const { value } = this.#underWay.values().next();
    return value?.began ?? now;
  }
}
