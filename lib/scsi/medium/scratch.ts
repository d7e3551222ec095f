/** Most that a command reads or writes at a time by a buffer of its own: a multiple of every block size. */
export const SCRATCH_BYTES = 256 * 1024;

/** How many commands of one logical unit have such a buffer at once. */
const BUFFERS_MAX = 16;

/**
 * The buffers of one logical unit's commands for bytes that no initiator sends or receives, such as those of VERIFY and
 * WRITE SAME. There are a few, however many commands there are: the others wait, as they would wait for the medium.
 */
export class Scratch {
  readonly #idle: Uint8Array[] = [];
  readonly #waiting: ((buffer: Uint8Array) => void)[] = [];
  #made = 0;

  /** Does work with a buffer, which has whatever was in it before, when there is one. */
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
    if (idle !== undefined || this.#made === BUFFERS_MAX) return idle;
    this.#made++;
    return new Uint8Array(SCRATCH_BYTES);
  }

  #giveBack(buffer: Uint8Array): void {
    const next = this.#waiting.shift();
    if (next !== undefined) next(buffer);
    else this.#idle.push(buffer);
  }
}
