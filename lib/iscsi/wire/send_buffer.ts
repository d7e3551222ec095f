/**
 * The send buffer of a connection. Replies are encoded in place, and many are sent at a time. It has two halves: one is
 * filled while the other is being sent.
 */
import { view } from "../../bytes/view.ts";
import { Limits } from "../limits.ts";

const INITIAL_BYTES = 65_536;

/** The memory of a half under the usual limit, in general. */
const USUAL_BYTES = 2 * Limits.sendBufferBytes;

/** The send buffer of a connection. */
export class SendBuffer {
  #filling = new Uint8Array(INITIAL_BYTES);
  #idle = new Uint8Array(INITIAL_BYTES);
  #length = 0;
  #limitBytes: number = Limits.sendBufferBytes;
  #isLarge = false;
  /** The idle half has the bytes of the last `take`, and they are in use. */
  #isTaken = false;

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
    this.#isLarge = true;
    this.#limitBytes = Limits.loneSendBufferBytes;
  }

  /**
   * Returns to the usual limit, as soon as no more than that is committed, and frees the memory beyond it, as soon as
   * that is not in use. Returns true when both are done.
   */
  reduce(): boolean {
    this.#isLarge = false;
    if (this.#length <= Limits.sendBufferBytes) {
      this.#limitBytes = Limits.sendBufferBytes;
      if (this.#filling.length > USUAL_BYTES) this.#filling = this.#filling.slice(0, this.#length);
    }
    if (!this.#isTaken) this.#idle = usual(this.#idle);
    const halves = [this.#filling, this.#idle];
    return this.#limitBytes === Limits.sendBufferBytes && halves.every(({ length }) => length <= USUAL_BYTES);
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

  /** Removes and returns all committed bytes; they are valid until `giveBack`, and the next call of `take`. */
  take(): Uint8Array {
    const taken = this.#filling;
    const length = this.#length;
    this.#filling = this.#isLarge ? this.#idle : usual(this.#idle);
    this.#idle = taken;
    this.#isTaken = true;
    this.#length = 0;
    if (!this.#isLarge) this.#limitBytes = Limits.sendBufferBytes;
    return taken.subarray(0, length);
  }

  /** Takes note that the bytes of the last `take` are no longer in use. */
  giveBack(): void {
    this.#isTaken = false;
    if (!this.#isLarge) this.#idle = usual(this.#idle);
  }

  /** Discards committed bytes and frees the memory. */
  release(): void {
    this.#filling = new Uint8Array();
    this.#idle = new Uint8Array();
    this.#length = 0;
  }
}

/** Returns a half, or a new one in place of a large one. */
function usual(half: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return half.length > USUAL_BYTES ? new Uint8Array(INITIAL_BYTES) : half;
}
