/** Restoring bytes of a store, without writing where they are right already. */
import type { BlockStore } from "./block_store.ts";

/** The unit that a write is cut at: the smallest page size of any kernel. */
export const PAGE_BYTES = 4096;

/** A write: the bytes at `offset`, and the bytes that replace them, of the same length. */
export interface Replacement {
  readonly offset: number;
  readonly old: Uint8Array;
  readonly fresh: Uint8Array;
}

/** A part of a buffer, from `start` up to `end`. */
interface BufferPart {
  readonly start: number;
  readonly end: number;
}

/**
 * Returns the parts of `wanted`, which belongs at `offset` of a store, that differ from `held`, the current bytes of
 * the store. Each part consists of whole units of the store, or of the portions of units at the ends of the buffer.
 */
export function findDifferences(
  offset: number,
  held: Uint8Array,
  wanted: Uint8Array,
  unitBytes: number,
): BufferPart[] {
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

/** Returns whether two buffers of the same length are equal. */
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
 * Writes the pages of `wanted` that differ from the store. A page that is right already may be a hole, which must not
 * be allocated.
 *
 * @throws {StoreError} (rejects) when the medium fails or has no space
 */
export async function writeDifferences(
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

/** The failure of a write that is done as a whole or not at all. */
export interface FailedWrite {
  readonly error: unknown;
  /** The old bytes could not be restored. */
  readonly isTorn: boolean;
}

/**
 * Writes `fresh`, or restores the old bytes and returns the failure. The caller lets no other write touch the range
 * meanwhile.
 */
export async function writeOrRestore(
  store: Pick<BlockStore, "read" | "write">,
  { offset, old, fresh }: Replacement,
): Promise<FailedWrite | undefined> {
  try {
    await store.write(offset, fresh);
    return undefined;
  } catch (error) {
    const isTorn = await writeDifferences(store, offset, old).then(() => false, () => true);
    return { error, isTorn };
  }
}
