/** Bytes that were replaced, back to where they were. */
import type { BlockStore } from "./block_store.ts";

/** What a write is cut at: the smallest page of any kernel. */
export const PAGE_BYTES = 4096;

/** A range in pieces that lie within a page each. */
function* pagesOf(offset: number, bytes: Uint8Array): Generator<{ offset: number; page: Uint8Array }> {
  for (let at = 0; at < bytes.length;) {
    const length = Math.min(PAGE_BYTES - (offset + at) % PAGE_BYTES, bytes.length - at);
    yield { offset: offset + at, page: bytes.subarray(at, at + length) };
    at += length;
  }
}

function differ(a: Uint8Array, b: Uint8Array): boolean {
  return a.some((byte, index) => byte !== b[index]);
}

/** Writes `old` wherever something else is: what a write has not reached may be a hole, which must not take space. */
export async function putBack(store: BlockStore, start: number, old: Uint8Array): Promise<void> {
  for (const { offset, page } of pagesOf(start, old)) {
    const current = new Uint8Array(page.length);
    await store.read(offset, current);
    if (differ(current, page)) await store.write(offset, page);
  }
}

/**
 * Does the same at once.
 *
 * @param store one whose `...Now` forms never decline
 * @throws {StoreError} when the medium fails
 */
export function putBackNow(store: BlockStore, start: number, old: Uint8Array): void {
  for (const { offset, page } of pagesOf(start, old)) {
    const current = new Uint8Array(page.length);
    const isRead = store.readNow(offset, current);
    const isDone = isRead && (!differ(current, page) || store.writeNow(offset, page));
    if (!isDone) throw new Error("A store that is being opened declined to act at once");
  }
}
