/**
 * Writes that are done as a whole or not at all, whatever fails and whenever the process or the machine stops.
 *
 * The death of the process must not cut COMPARE AND WRITE; SBC-3 (5.2) guarantees nothing for it after a loss of power,
 * as for any other write that was not flushed. `kill -9` keeps data that has reached the page cache, and cuts a
 * write(2) only between two pages. So a write within a page needs nothing further.
 *
 * WRITE ATOMIC must be whole after a loss of power too: initiators use it for torn-write protection (SBC-4, 4.29; the
 * atomic writes of Linux), and omit the second copy that databases otherwise make. A disk guarantees that for a sector
 * only.
 *
 * For a longer write, the bytes that it replaces are first recorded in a journal. That takes two flushes: the record is
 * on the disk before the data is written, and the data before the record is erased. The record holds the old bytes
 * rather than the new ones, because they also restore the range after a write that fails half way, for lack of space
 * for example.
 */
import type { AtomicJournal } from "./atomic_journal.ts";
import { SECTOR_BYTES } from "./atomic_record.ts";
import type { BlockStore } from "./block_store.ts";
import { type FailedWrite, PAGE_BYTES, writeOrRestore } from "./write_or_restore.ts";

/** The interruptions, with the unit that each of them cuts writes at. */
const UNITS = { processDeath: PAGE_BYTES, powerLoss: SECTOR_BYTES } as const;

/** The worst interruption that a write must survive as a whole. */
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
 * Writes all of `from` at `offset`, or nothing. The caller lets no other write touch the range meanwhile.
 *
 * @param journal undefined for a store that does not outlive the process
 * @throws {StoreError} (rejects) when the medium fails or has no space; the old bytes are restored, unless the medium
 *   rejects those, too
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
  const write = (): Promise<FailedWrite | undefined> => writeOrRestore(store, replacement);
  if (journal !== undefined) return journal.protect(replacement, write);
  const failed = await write();
  if (failed !== undefined) throw failed.error;
}
