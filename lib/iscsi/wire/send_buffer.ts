/**
 * A connection's replies on their way to the socket: they are encoded where they will be sent from, and leave many at
 * a time. While one half is being sent the other takes new replies.
 */
import { view } from "../../bytes/view.ts";

const INITIAL_BYTES = 65_536;

/** The two halves of a connection's send buffer. */
export class SendBuffer {
  #filling = new Uint8Array(INITIAL_BYTES);
  #idle = new Uint8Array(INITIAL_BYTES);
  #length = 0;

  /** Bytes that wait to be taken. */
  get length(): number {
    return this.#length;
  }

  /** Space for `length` bytes behind what is committed, valid until the next call of any method. */
  reserve(length: number): Uint8Array {
    const end = this.#length + length;
    if (end > this.#filling.length) {
      const grown = new Uint8Array(Math.max(end, this.#filling.length * 2));
      grown.set(this.#filling.subarray(0, this.#length));
      this.#filling = grown;
    }
    return view(this.#filling, this.#length, end);
  }

  /** The first `length` bytes of the space reserved last are to be sent. */
  commit(length: number): void {
    this.#length += length;
  }

  /** Takes everything that waits. It stays valid until the next call of `take`. */
  take(): Uint8Array {
    const taken = this.#filling;
    const length = this.#length;
    this.#filling = this.#idle;
    this.#idle = taken;
    this.#length = 0;
    return taken.subarray(0, length);
  }

  /** Drops what waits, and the memory for it. */
  release(): void {
    this.#filling = new Uint8Array();
    this.#idle = new Uint8Array();
    this.#length = 0;
  }
}
