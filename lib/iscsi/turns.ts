import { Limits } from "./limits.ts";

/** Who has received few PDUs at a time of late, for whom the others make their turns short. */
interface Modest {
  who: unknown;
  atMs: number;
}

/**
 * How many PDUs a connection may carry out before the others have their turn. Making way costs as much as some ten
 * commands. So those who all have much to do take long turns; but as long as one of them has only a few commands
 * outstanding, which wait for the end of each turn, the turns of the others are short.
 */
export class Turns {
  /** The last one, and the last one before who was somebody else. */
  readonly #last: Modest = { who: undefined, atMs: -Infinity };
  readonly #other: Modest = { who: undefined, atMs: -Infinity };

  /** How many PDUs `who` may carry out now before the others have their turn. */
  lengthFor(who: unknown, nowMs: number): number {
    const modest = this.#last.who === who ? this.#other : this.#last;
    return nowMs - modest.atMs < Limits.modestMs ? Limits.shortTurnPdus : Limits.turnPdus;
  }

  /** Takes note of how many PDUs `who` has received at once. */
  received(who: unknown, countPdus: number, nowMs: number): void {
    if (countPdus > Limits.shortTurnPdus) return;
    if (this.#last.who !== who) {
      this.#other.who = this.#last.who;
      this.#other.atMs = this.#last.atMs;
      this.#last.who = who;
    }
    this.#last.atMs = nowMs;
  }
}
