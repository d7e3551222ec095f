import { LinkedQueue } from "../../base/linked_queue.ts";

/** Size of a scratch buffer: a multiple of every block size. */
export const SCRATCH_BYTES = 256 * 1024;

/** Maximum number of scratch buffers of one logical unit. */
const BUFFERS_MAX = 16;

/**
 * The scratch buffers of one logical unit, for bytes that no initiator sends or receives, such as those of VERIFY and
 * WRITE SAME. Their number is limited: other commands wait for a buffer, as they would wait for the medium.
 */
export class Scratch {
  readonly #idle: Uint8Array[] = [];
  readonly #waiting = new LinkedQueue<(buffer: Uint8Array) => void>();
  #count = 0;

  /** Does work with a buffer, as soon as one is free. The buffer has arbitrary content. */
  async use<T>(work: (buffer: Uint8Array) => Promise<T>): Promise<T> {
    const buffer = this.#take() ?? await new Promise<Uint8Array>((resolve) => this.#waiting.push(resolve));
    try {
      return await work(buffer);
    } finally {
      this.#giveBack(buffer);
    }
  }

  #take(): Uint8Array | undefined {
    const idle = this.#idle.pop();
    if (idle !== undefined || this.#count === BUFFERS_MAX) return idle;
    this.#count++;
    return new Uint8Array(SCRATCH_BYTES);
  }

  #giveBack(buffer: Uint8Array): void {
    const next = this.#waiting.shift();
    if (next !== undefined) next(buffer);
    else this.#idle.push(buffer);
  }
}
