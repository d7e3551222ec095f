import type { BlockStore } from "../../store/block_store.ts";
import type { Cancellation } from "../outcome/cancellation.ts";
import { SCRATCH_BYTES } from "./scratch.ts";

/** Control of long work. */
export interface Supervision {
  /** Ends the work early, as a failure. */
  readonly cancellation: Cancellation;
  /** Receives the number of bytes done since the last call. */
  readonly onProgress?: (bytes: number) => void;
}

/**
 * Writes copies of a block to a whole range.
 *
 * @param scratch a buffer for the copies, whose length is a multiple of the block's
 * @throws {StoreError} (rejects) as the store's `write` does
 * @throws {CancelledError} (rejects) when it is cancelled before the end
 */
export async function writeRepeated(
  store: BlockStore,
  range: { readonly offset: number; readonly lengthBytes: number },
  block: Uint8Array,
  { cancellation, onProgress }: Supervision,
  scratch: Uint8Array = new Uint8Array(SCRATCH_BYTES),
): Promise<void> {
  const { offset, lengthBytes } = range;
  const piece = scratch.subarray(0, lengthBytes);
  for (let at = 0; at < piece.length; at += block.length) piece.set(block, at);
  for (let done = 0; done < lengthBytes; done += piece.length) {
    cancellation.throwIfCancelled();
    const part = piece.subarray(0, lengthBytes - done);
    await store.write(offset + done, part);
    onProgress?.(part.length);
  }
}
