import type { ByteRange } from "./byte_range.ts";

/** What is written at a time. */
const PIECE_BYTES = 256 * 1024;

/** Never written to, so that all can share it. */
const ZEROS = new Uint8Array(PIECE_BYTES);

/**
 * Makes bytes zero by writing zeros.
 *
 * @param write as `BlockStore.write`, whose failures are passed on
 */
export async function writeZeros(
  write: (offset: number, from: Uint8Array) => Promise<void>,
  { offset, lengthBytes }: ByteRange,
): Promise<void> {
  const end = offset + lengthBytes;
  for (let at = offset; at < end; at += PIECE_BYTES) {
    await write(at, end - at < PIECE_BYTES ? ZEROS.subarray(0, end - at) : ZEROS);
  }
}
