/** Read-ahead into the page cache, for PRE-FETCH. The bytes are discarded. */
import type { BlockStore } from "../../store/block_store.ts";

/** Maximum bytes of one PRE-FETCH (MAXIMUM PREFETCH LENGTH). */
export const READ_AHEAD_MAX_BYTES = 16 * 1024 * 1024;

/** Bytes per read: a multiple of every block size. */
const PIECE_BYTES = 256 * 1024;

/** Maximum number of ranges of one logical unit that are read ahead at a time. */
const UNDER_WAY_MAX = 4;

/** The read-ahead of one logical unit. */
export class ReadAhead {
  readonly #store: BlockStore;
  #underWay = 0;

  constructor(store: BlockStore) {
    this.#store = store;
  }

  /** The maximum number of ranges is being read. */
  get isBusy(): boolean {
    return this.#underWay >= UNDER_WAY_MAX;
  }

  /**
   * Reads a range ahead.
   *
   * @throws {StoreError} (rejects) when the medium fails
   */
  async read(startBytes: number, lengthBytes: number): Promise<void> {
    this.#underWay++;
    try {
      const scratch = new Uint8Array(Math.min(lengthBytes, PIECE_BYTES));
      for (let offset = 0; offset < lengthBytes; offset += PIECE_BYTES) {
        await this.#store.read(startBytes + offset, scratch.subarray(0, lengthBytes - offset));
      }
    } finally {
      this.#underWay--;
    }
  }
}
