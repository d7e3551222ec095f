/**
 * The send buffer of a connection. Replies are encoded in place, and many are sent at a time. It has two halves: one is
 * filled while the other is being sent.
 */
import { view } from "../../bytes/view.ts";
import { Limits } from "../limits.ts";

const INITIAL_BYTES = 65_536;

/** The send buffer of a connection. */
export class SendBuffer {
  #filling = new Uint8Array(INITIAL_BYTES);
  #idle = new Uint8Array(INITIAL_BYTES);
  #length = 0;
  #limitBytes: number = Limits.sendBufferBytes;

  /** Committed bytes that have not been taken. */
  get length(): number {
    return this.#length;
  }

  /** True when no more should be added but what cannot be avoided. */
  get isFull(): boolean {
    return this.#length >= this.#limitBytes;
  }

  /** True when even more was added than could not be avoided. */
  get isExceeded(): boolean {
    return this.#length > this.#limitBytes + Limits.excessReplyBytes;
  }

  /** Lets the buffer become large. */
  enlarge(): void {
    this.#limitBytes = Limits.loneSendBufferBytes;
  }

  /** Returns to the usual limit and frees the memory beyond it; returns false when more than that is committed. */
  reduce(): boolean {
    if (this.#length > Limits.sendBufferBytes) return false;
    this.#limitBytes = Limits.sendBufferBytes;
    if (this.#filling.length > INITIAL_BYTES) this.#filling = this.#filling.slice(0, this.#length);
    if (this.#idle.length > INITIAL_BYTES) this.#idle = new Uint8Array(INITIAL_BYTES);
    return true;
  }

  /** Returns space for `length` bytes after the committed ones, valid until the next call of any method. */
  reserve(length: number): Uint8Array {
    const end = this.#length + length;
    if (end > this.#filling.length) {
      const grown = new Uint8Array(Math.max(end, this.#filling.length * 2));
      grown.set(this.#filling.subarray(0, this.#length));
      this.#filling = grown;
    }
    return view(this.#filling, this.#length, end);
  }

  /** Commits the first `length` bytes of the space that was reserved last. */
  commit(length: number): void {
    this.#length += length;
  }

  /** Removes and returns all committed bytes; they are valid until the next call of `take`. */
  take(): Uint8Array {
    const taken = this.#filling;
    const length = this.#length;
    this.#filling = this.#idle;
    this.#idle = taken;
    this.#length = 0;
    return taken.subarray(0, length);
  }

  /** Discards committed bytes and frees the memory. */
  release(): void {
    this.#filling = new Uint8Array();
    this.#idle = new Uint8Array();
    this.#length = 0;
  }
}
