/**
 * Counts the bytes that a connection holds in memory of their own because a medium completes later, so that a slow
 * medium cannot make it hold more than its limit.
 */
import { Limits } from "./limits.ts";

/** One connection's account. */
export class Staging {
  #bytes = 0;

  /** More may be taken. The limit is passed by the last piece at most. */
  get hasRoom(): boolean {
    return this.#bytes < Limits.stagedBytes;
  }

  /** Not even data that was asked for could be taken: somebody sends too much unasked. */
  get isFull(): boolean {
    return this.#bytes >= Limits.stagedBytes + Limits.solicitedBytes;
  }

  take(bytes: number): void {
    this.#bytes += bytes;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }
}
