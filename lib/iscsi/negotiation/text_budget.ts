import { Limits } from "../limits.ts";

/**
 * The budget of bytes for texts being assembled or sent, shared by all connections of a node. A connection holds text
 * between two PDUs: the beginning of a request (RFC 7143, 6.1), or the rest of an answer (11.11.4).
 *
 * A single text may exceed the budget if no other connection holds any, so an initiator that tries again succeeds
 * eventually.
 */
export class TextBudget {
  #bytes = 0;

  /** The bytes that all connections hold. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Changes the bytes that one connection holds.
   *
   * @returns false, without any change, when the budget has no room for an increase
   */
  change(fromBytes: number, toBytes: number): boolean {
    const otherBytes = this.#bytes - fromBytes;
    if (toBytes > fromBytes && otherBytes > 0 && otherBytes + toBytes > Limits.textBudgetBytes) return false;
    this.#bytes = otherBytes + toBytes;
    return true;
  }
}
