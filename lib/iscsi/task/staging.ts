/**
 * Buffers for data whose medium completes later. The bytes of a connection are counted, which bounds the memory that a
 * slow medium can occupy. Buffers are reused, because a new one for each small piece keeps the garbage collector as
 * busy as the medium, and occupies memory until it is collected.
 */
import { Limits } from "../limits.ts";

/** Reused buffers have a power of two bytes, between these. No piece of Data-In is longer. */
const REUSED_BYTES_MIN = 4096;
const REUSED_BYTES_MAX = 262_144;

/** One connection's buffers. */
export class Staging {
  /** Bytes in use. */
  #bytes = 0;
  readonly #idle = new Map<number, ArrayBuffer[]>();
  #idleBytes = 0;
  #isOver = false;

  /** True when another piece may be taken. Only the last piece can exceed the limit. */
  get hasRoom(): boolean {
    return this.#bytes < Limits.stagedBytes;
  }

  /** True when there is no room left even for solicited data: the initiator sends too much unsolicited data. */
  get isFull(): boolean {
    return this.#bytes >= Limits.stagedBytes + Limits.solicitedBytes;
  }

  /** Returns a buffer for a piece. It is not cleared. */
  take(lengthBytes: number): Uint8Array {
    const capacity = capacityFor(lengthBytes);
    const idle = this.#idle.get(capacity)?.pop();
    if (idle !== undefined) this.#idleBytes -= capacity;
    this.#bytes += capacity;
    return new Uint8Array(idle ?? new ArrayBuffer(capacity), 0, lengthBytes);
  }

  /** Returns a buffer that is no longer read or written. */
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

  /** Drops the idle buffers, and those returned later: the connection is over, but a medium may still use some. */
  end(): void {
    this.#isOver = true;
    this.#idle.clear();
  }
}

/** Returns the size of the buffer for a piece. */
function capacityFor(lengthBytes: number): number {
  if (lengthBytes > REUSED_BYTES_MAX) return lengthBytes;
  let capacity = REUSED_BYTES_MIN;
  while (capacity < lengthBytes) capacity *= 2;
  return capacity;
}
