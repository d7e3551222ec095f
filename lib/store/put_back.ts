/** Bytes of a store that are to be what they were, or zero, without anything that is so already being written. */
import type { BlockStore } from "./block_store.ts";

/** Where a write is cut: the smallest page of any kernel. */
export const PAGE_BYTES = 4096;

/** A write: the bytes that are at `offset`, and those that are to be there, of one length. */
export interface Replacement {
  readonly offset: number;
  readonly old: Uint8Array;
  readonly fresh: Uint8Array;
}

/** A stretch of a buffer, from an index up to another. */
interface Stretch {
  readonly start: number;
  readonly end: number;
}

/**
 * Returns the stretches of `wanted`, which belongs at `offset` of a store, that are not what the store holds there.
 * Each consists of whole units of the store, or of what the buffer has of them at its ends.
 */
export function findDifferences(
  offset: number,
  held: Uint8Array,
  wanted: Uint8Array,
  unitBytes: number,
): Stretch[] {
  const found: { start: number; end: number }[] = [];
  for (let start = 0; start < wanted.length;) {
    const end = Math.min(start + unitBytes - (offset + start) % unitBytes, wanted.length);
    const last = found.at(-1);
    if (equalBytes(held.subarray(start, end), wanted.subarray(start, end))) start = end;
    else {
      if (last?.end === start) last.end = end;
      else found.push({ start, end });
      start = end;
    }
  }
  return found;
}

/** Returns whether two buffers of one length hold the same bytes. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  const words = a.byteOffset % 4 === 0 && b.byteOffset % 4 === 0 ? a.length >>> 2 : 0;
  const left = new Uint32Array(a.buffer, words === 0 ? 0 : a.byteOffset, words);
  const right = new Uint32Array(b.buffer, words === 0 ? 0 : b.byteOffset, words);
  for (let index = 0; index < words; index++) {
    if (left[index] !== right[index]) return false;
  }
  for (let index = words * 4; index < a.length; index++) {
    if (a[index] !== b[index]) return false;
  }
  return true;
}

/**
 * Writes `wanted` wherever something else is, page by page: a page that holds it already may be a hole, which must not
 * take space.
 *
 * @throws {StoreError} (rejects) when the medium fails or has no space
 */
export async function putBack(
  store: Pick<BlockStore, "read" | "write">,
  offset: number,
  wanted: Uint8Array,
): Promise<void> {
  const held = new Uint8Array(wanted.length);
  await store.read(offset, held);
  for (const { start, end } of findDifferences(offset, held, wanted, PAGE_BYTES)) {
    await store.write(offset + start, wanted.subarray(start, end));
  }
}

/** The end of a write that was to be as a whole or not at all; undefined when it is there as a whole. */
export interface FailedWrite {
  readonly error: unknown;
  /** Not even the old bytes could be written back. */
  readonly isTorn: boolean;
}

/** Writes `fresh`, or has the old bytes there again. Nobody else may write there meanwhile. */
export async function writeOrPutBack(
  store: Pick<BlockStore, "read" | "write">,
  { offset, old, fresh }: Replacement,
): Promise<FailedWrite | undefined> {
  try {
    await store.write(offset, fresh);
    return undefined;
  } catch (error) {
    const isTorn = await putBack(store, offset, old).then(() => false, () => true);
    return { error, isTorn };
  }
}
