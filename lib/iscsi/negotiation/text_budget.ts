import { Limits } from "../limits.ts";

/**
 * Counts the text that all connections of a node keep between two PDUs: the rest of an answer that did not fit into
 * one (RFC 7143, 11.11.4), and the beginning of a request that goes on in the next (6.1). Where no other is kept, a
 * text has room however long it is, so that who asks again is answered in the end.
 */
export class TextBudget {
  #bytes = 0;

  /** How much is kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A connection that has kept so many bytes keeps others now; false, and all is as before, when there is no room. */
  change(before: number, after: number): boolean {
    const others = this.#bytes - before;
    if (after > before && others > 0 && others + after > Limits.textBudgetBytes) return false;
    this.#bytes = others + after;
    return true;
  }
}
