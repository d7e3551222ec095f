import { Limits } from "../limits.ts";

/** Who has received few PDUs at a time of late, for whom the others make their turns short. */
interface ShallowQueue {
  who: unknown;
  /** The number of that reception. */
  at: number;
}

/**
 * How many PDUs a connection may carry out before the others have their turn. Making way costs as much as some ten
 * commands. So those who all have much to do take long turns; but as long as one of them has only a few commands
 * outstanding, which wait for the end of each turn, the turns of the others are short.
 */
export class TimeSlices {
  /** The last one, and when the last one before was that was another. */
  readonly #last: ShallowQueue = { who: undefined, at: -Infinity };
  #otherAt = -Infinity;
  #receptions = 0;

  /** How many PDUs `who` may carry out now before the others have their turn. */
  lengthFor(who: unknown): number {
    const shallowAt = this.#last.who === who ? this.#otherAt : this.#last.at;
    return this.#receptions - shallowAt < Limits.shallowQueueReceptions
      ? Limits.shortSlicePdus
      : Limits.slicePdus;
  }

  /** Takes note of how many PDUs `who` has received at once. */
  received(who: unknown, countPdus: number): void {
    this.#receptions++;
    if (countPdus > Limits.shortSlicePdus) return;
    if (this.#last.who !== who) {
      this.#otherAt = this.#last.at;
      this.#last.who = who;
    }
    this.#last.at = this.#receptions;
  }
}
