import { Limits } from "../limits.ts";
import type { SendBuffer } from "../wire/send_buffer.ts";

/**
 * The right to a large send buffer, which one connection at a time has: the one that uses the node alone.
 *
 * Several large pieces of data take less time in one write than in one each, because the peer is woken less often.
 * Beside other connections they take more: each of the others waits for the whole of it.
 */
export class LargeSendBuffer {
  #last: SendBuffer | undefined;
  /** Receptions in a row, since the first, of the connection with that buffer. */
  #repetitions = 0;
  #holder: SendBuffer | undefined;

  /** Records a reception, by the send buffer of its connection. */
  received(buffer: SendBuffer): void {
    if (buffer === this.#last) {
      this.#repetitions++;
      if (this.#repetitions % Limits.loneReceptions === 0) this.#give(buffer);
      return;
    }
    this.#last = buffer;
    this.#repetitions = 0;
    this.#withdraw();
  }

  /** Gives the right, unless the peer of another connection has not taken what it allowed yet. */
  #give(buffer: SendBuffer): void {
    if (buffer !== this.#holder) this.#withdraw();
    this.#holder ??= buffer;
    if (buffer === this.#holder) buffer.enlarge();
  }

  /** Withdraws the right. It can be given again when its memory is free, which bounds the memory of all connections. */
  #withdraw(): void {
    if (this.#holder?.reduce()) this.#holder = undefined;
  }
}
