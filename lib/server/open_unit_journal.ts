import type { EventLog } from "../iscsi/events/event_log.ts";
import { RECORDED_BYTES } from "../scsi/medium/atomic_limits.ts";
import { AtomicJournalFile } from "../store/atomic_journal.ts";
import { allocateJournal, recoverAtomicWrites, type Recovery } from "../store/atomic_recovery.ts";
import { StoreError } from "../store/block_store.ts";
import type { FileActivity } from "../store/file_activity.ts";
import type { FileStore } from "../store/file_store.ts";

/** The journal of a logical unit, and the names of the unit. */
export interface UnitJournalOptions {
  readonly journalPath: string;
  /** The path of the backing. */
  readonly path: string;
  readonly naa: string;
  readonly log: EventLog;
  readonly activity: FileActivity | undefined;
}

/**
 * Opens the journal of a logical unit, after undoing an atomic write that a killed server left incomplete.
 *
 * @throws {StoreError} when that fails
 */
export function openUnitJournal(
  file: FileStore,
  { journalPath, path, naa, log, activity }: UnitJournalOptions,
): AtomicJournalFile {
  const recovery = recoverAtomicWrites(journalPath, naa, file);
  if (recovery !== undefined) log.warning(describeRecovery(recovery, path, journalPath));
  if (!file.readOnly) allocateUnitJournal(journalPath, log);
  return new AtomicJournalFile(journalPath, { store: file, owner: naa, roomBytes: RECORDED_BYTES, activity });
}

/** Allocates the space of a journal. Without it the unit is served, but atomic writes need free space. */
export function allocateUnitJournal(journalPath: string, log: EventLog): void {
  try {
    allocateJournal(journalPath, RECORDED_BYTES);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    log.warning(`${error.message}; atomic writes fail while the file system is full`);
  }
}

function describeRecovery({ kind, keptPath }: Recovery, path: string, journalPath: string): string {
  switch (kind) {
    case "restored":
      return `Undid an interrupted atomic write to "${path}", recorded in "${journalPath}"`;
    case "incomplete":
      return `Ignored an incomplete record in "${journalPath}": ` +
        `power failed before its atomic write to "${path}" began, so the file is unchanged`;
    case "other":
      return `Did not undo an atomic write to "${path}": the blocks hold neither the old nor the new data, as after ` +
        `the file was replaced; nothing was changed, and the record is kept in ` +
        `"${keptPath}" until SANITIZE`;
    case "damaged":
      return `Cannot read journal "${journalPath}": it is damaged, and "${path}" may contain part of an interrupted ` +
        `atomic write; check the file system on that disk. The journal is kept in ` +
        `"${keptPath}" until SANITIZE`;
  }
}
