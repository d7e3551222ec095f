import { Limits } from "../limits.ts";

/** The connection that recently had a shallow queue; others get short slices. */
interface ShallowQueue {
  connection: unknown;
  /** The number of that reception. */
  at: number;
}

/**
 * The number of PDUs that a connection may carry out before other connections run.
 *
 * Yielding takes as long as about ten commands. Connections with deep queues therefore get long slices. While another
 * connection has only a few commands outstanding, they get short ones, because each of its commands waits for the end
 * of a slice.
 */
export class TimeSlices {
  /** The last reception from a shallow queue. */
  readonly #last: ShallowQueue = { connection: undefined, at: -Infinity };
  /** The last such reception of a connection other than that one. */
  #otherAt = -Infinity;
  #receptions = 0;

  /** Returns the number of PDUs that a connection may carry out now. */
  lengthFor(connection: unknown): number {
    const shallowAt = this.#last.connection === connection ? this.#otherAt : this.#last.at;
    return this.#receptions - shallowAt < Limits.shallowQueueReceptions
      ? Limits.shortSlicePdus
      : Limits.slicePdus;
  }

  /** Records how many PDUs a connection has received at once. */
  received(connection: unknown, pduCount: number): void {
    this.#receptions++;
    if (pduCount > Limits.shortSlicePdus) return;
    if (this.#last.connection !== connection) {
      this.#otherAt = this.#last.at;
      this.#last.connection = connection;
    }
    this.#last.at = this.#receptions;
  }
}
