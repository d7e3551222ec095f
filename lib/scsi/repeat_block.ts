import type { BlockStore } from "../store/block_store.ts";

/** What is written at a time. */
const PIECE_BYTES = 256 * 1024;

/** What goes on during a long piece of work. */
export interface Supervision {
  /** The work is to end early: what has not been written need not be. */
  readonly isCancelled: () => boolean;
  /** So many bytes more are done. */
  readonly onProgress?: (bytes: number) => void;
}

/**
 * Writes a block again and again, until the end or until it is cancelled.
 *
 * @throws {StoreError} (rejects) as the store's `write` does
 */
export async function writeRepeated(
  store: BlockStore,
  range: { readonly offset: number; readonly lengthBytes: number },
  block: Uint8Array,
  { isCancelled, onProgress }: Supervision,
): Promise<void> {
  const { offset, lengthBytes } = range;
  const piece = new Uint8Array(Math.min(lengthBytes, Math.max(PIECE_BYTES, block.length)));
  for (let at = 0; at < piece.length; at += block.length) piece.set(block, at);
  for (let done = 0; done < lengthBytes && !isCancelled(); done += piece.length) {
    const part = piece.subarray(0, lengthBytes - done);
    await store.write(offset + done, part);
    onProgress?.(part.length);
  }
}
