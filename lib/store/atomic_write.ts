/**
 * Writes that are there as a whole or not at all, whatever fails and whenever the process or the machine is stopped.
 *
 * COMPARE AND WRITE must not be cut by the death of the process; SBC-3 (5.2) promises nothing of it across a loss of
 * power, as of no other write that was not flushed. `kill -9` keeps what has reached the page cache, and cuts a
 * write(2) between two pages only. So one within a page needs nothing further.
 *
 * WRITE ATOMIC must be whole after a loss of power too: initiators take it for torn-write protection (SBC-4, 4.29; the
 * atomic writes of Linux), and leave out the second copy that databases otherwise make. A disk promises that for a
 * sector only.
 *
 * For a longer write the bytes that it replaces are recorded in a journal first, which takes two flushes: the record is
 * on the disk before the data is written, and the data before the record is taken out. Old bytes rather than new ones,
 * because they serve twice: a write that fails half way, for want of space say, is taken back by them too.
 */
import type { AtomicJournal } from "./atomic_journal.ts";
import { SECTOR_BYTES } from "./atomic_record.ts";
import type { BlockStore } from "./block_store.ts";
import { type FailedWrite, PAGE_BYTES, writeOrPutBack } from "./put_back.ts";

/** An end of everything that a write survives as a whole, and the unit that such an end cuts writes at anyway. */
const UNITS = { processDeath: PAGE_BYTES, powerLoss: SECTOR_BYTES } as const;

/** The worst that may happen in the middle of a write. */
export type Interruption = keyof typeof UNITS;

/** An atomic write. */
export interface AtomicWrite {
  readonly offset: number;
  readonly from: Uint8Array;
  readonly survives: Interruption;
}

function isWithinUnit(offset: number, lengthBytes: number, unitBytes: number): boolean {
  return Math.floor(offset / unitBytes) === Math.floor((offset + lengthBytes - 1) / unitBytes);
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
  { offset, from, survives }: AtomicWrite,
): Promise<void> {
  if (isWithinUnit(offset, from.length, UNITS[survives])) {
    if (!store.writeNow(offset, from)) await store.write(offset, from);
    return;
  }
  const old = new Uint8Array(from.length);
  await store.read(offset, old);
  const replacement = { offset, old, fresh: from };
  const write = (): Promise<FailedWrite | undefined> => writeOrPutBack(store, replacement);
  if (journal !== undefined) return journal.protect(replacement, write);
  const failed = await write();
  if (failed !== undefined) throw failed.error;
}
