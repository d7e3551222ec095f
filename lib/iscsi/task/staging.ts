/**
 * The bytes that a connection holds in memory of their own because a medium completes later: counted, so that a slow
 * medium cannot make it hold more than its limit, and used again, because what is new for every small piece keeps the
 * garbage collector as busy as the medium, and takes memory until it comes.
 */
import { Limits } from "../limits.ts";

/** Buffers that are used again have a power of two bytes, between these. Data-In has no longer pieces. */
const REUSED_BYTES_MIN = 4096;
const REUSED_BYTES_MAX = 262_144;

/** One connection's buffers. */
export class Staging {
  /** What is taken. */
  #bytes = 0;
  readonly #idle = new Map<number, ArrayBuffer[]>();
  #idleBytes = 0;
  #isOver = false;

  /** More may be taken. The limit is passed by the last piece at most. */
  get hasRoom(): boolean {
    return this.#bytes < Limits.stagedBytes;
  }

  /** Not even data that was asked for could be taken: somebody sends too much unasked. */
  get isFull(): boolean {
    return this.#bytes >= Limits.stagedBytes + Limits.solicitedBytes;
  }

  /** Space for a piece, with whatever was in it before. */
  take(lengthBytes: number): Uint8Array {
    const capacity = capacityFor(lengthBytes);
    const idle = this.#idle.get(capacity)?.pop();
    if (idle !== undefined) this.#idleBytes -= capacity;
    this.#bytes += capacity;
    return new Uint8Array(idle ?? new ArrayBuffer(capacity), 0, lengthBytes);
  }

  /** Gives back what was taken: nobody reads or writes it any more. */
  release({ buffer }: Uint8Array): void {
    const capacity = buffer.byteLength;
    this.#bytes -= capacity;
    if (this.#isOver || capacity > REUSED_BYTES_MAX) return;
    if (this.#idleBytes + capacity > Limits.idleStagedBytes) return;
    const idle = this.#idle.get(capacity);
    if (idle === undefined) this.#idle.set(capacity, [buffer as ArrayBuffer]);
    else idle.push(buffer as ArrayBuffer);
    this.#idleBytes += capacity;
  }

  /** Keeps nothing to use again: the connection is over, though a medium may still have some of its buffers. */
  end(): void {
    this.#isOver = true;
    this.#idle.clear();
  }
}

/** How large a buffer for a piece is. */
function capacityFor(lengthBytes: number): number {
  if (lengthBytes > REUSED_BYTES_MAX) return lengthBytes;
  let capacity = REUSED_BYTES_MIN;
  while (capacity < lengthBytes) capacity *= 2;
  return capacity;
}
