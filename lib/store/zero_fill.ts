import type { BlockStore } from "./block_store.ts";
import type { ByteRange } from "./byte_range.ts";
import { PAGE_BYTES, writeDifferences } from "./write_or_restore.ts";

/** Bytes compared at a time. */
const PIECE_BYTES = 256 * 1024;

/** Zeros, which all calls share because they are never changed. */
const ZEROS = new Uint8Array(PIECE_BYTES);

/**
 * Zeroes bytes without punching a hole. Zeros are written only to pages that hold other bytes, so zeroing never
 * allocates space.
 *
 * @throws {StoreError} (rejects) when the medium fails
 */
export async function zeroFill(
  store: Pick<BlockStore, "read" | "write">,
  { offset, lengthBytes }: ByteRange,
): Promise<void> {
  const end = offset + lengthBytes;
  for (let at = offset; at < end;) {
    const pieceEnd = Math.min(at + PIECE_BYTES - at % PAGE_BYTES, end);
    await writeDifferences(store, at, ZEROS.subarray(0, pieceEnd - at));
    at = pieceEnd;
  }
}
