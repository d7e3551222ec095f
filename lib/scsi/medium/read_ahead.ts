/**
 * Reading ahead into the page cache, for PRE-FETCH: the bytes themselves are dropped.
 */
import type { BlockStore } from "../../store/block_store.ts";

/** Most that one PRE-FETCH reads: MAXIMUM PREFETCH LENGTH. */
export const READ_AHEAD_MAX_BYTES = 16 * 1024 * 1024;

/** Most that is read at a time: a multiple of every block size. */
const PIECE_BYTES = 256 * 1024;

/** Most ranges of one logical unit that are read ahead at once. */
const UNDER_WAY_MAX = 4;

/** What is being read ahead of one logical unit. */
export class ReadAhead {
  readonly #store: BlockStore;
  #underWay = 0;

  constructor(store: BlockStore) {
    this.#store = store;
  }

  /** Whether no further range can be read now. */
  get isBusy(): boolean {
    return this.#underWay >= UNDER_WAY_MAX;
  }

  /**
   * Reads a range.
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
