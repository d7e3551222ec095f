/**
 * Writes that happen as a whole or not at all, whatever fails and whenever the process is killed.
 *
 * `kill -9` keeps what has reached the page cache, and cuts a write(2) short between two pages only. So a write within
 * one page needs nothing further. For a longer one the bytes that it replaces are recorded in a journal first, and
 * forgotten when it is complete; where that did not come to pass, they are put back when the store is opened again.
 * Nothing has to be made durable for that. A power failure is another matter: there, only a flush promises anything.
 *
 * Old bytes rather than new ones, because they serve twice: a write that fails half way, for want of space say, is
 * taken back by them too.
 */
import type { AtomicJournal } from "./atomic_journal.ts";
import type { BlockStore } from "./block_store.ts";
import { PAGE_BYTES, putBack } from "./put_back.ts";

function isWithinPage(offset: number, lengthBytes: number): boolean {
  return Math.floor(offset / PAGE_BYTES) === Math.floor((offset + lengthBytes - 1) / PAGE_BYTES);
}

/**
 * Writes all of `from` at `offset`, or nothing. Nobody else may write there meanwhile.
 *
 * @param journal undefined for a store that does not outlive the process
 * @throws {StoreError} (rejects) when the medium fails or has no space; then the old bytes are there again, unless the
 *   medium refuses even those
 */
export async function writeAtomically(
  store: BlockStore,
  journal: AtomicJournal | undefined,
  offset: number,
  from: Uint8Array,
): Promise<void> {
  if (isWithinPage(offset, from.length)) {
    if (!store.writeNow(offset, from)) await store.write(offset, from);
    return;
  }
  const old = new Uint8Array(from.length);
  await store.read(offset, old);
  const write = (): Promise<void> => writeOrTakeBack(store, offset, from, old);
  await (journal === undefined ? write() : journal.protect(offset, old, write));
}

async function writeOrTakeBack(
  store: BlockStore,
  offset: number,
  from: Uint8Array,
  old: Uint8Array,
): Promise<void> {
  try {
    await store.write(offset, from);
  } catch (error) {
    // The write's own failure is what the initiator is told.
    await putBack(store, offset, old).catch(() => {});
    throw error;
  }
}
