/** The open files of a logical unit: its backing file or device, and the state that belongs to it. */
import type { LogicalUnitConfig } from "../../config/config.ts";
import type { Clock } from "../../iscsi/clock.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import { RECORDED_BYTES } from "../../scsi/medium/atomic_limits.ts";
import type { Identity } from "../../scsi/identity.ts";
import { AtomicJournalFile } from "../../store/atomic_journal.ts";
import { allocateJournal, recoverAtomicWrites, type Recovery } from "../../store/atomic_recovery.ts";
import { type BlockStore, StoreError } from "../../store/block_store.ts";
import type { FileActivity } from "../../store/file_activity.ts";
import { FileStore } from "../../store/file_store.ts";
import type { HolePuncher } from "../../store/hole_puncher.ts";
import { ThinStore } from "../../store/thin_store.ts";
import { openSanitizeFile, type SanitizeFile } from "./sanitize_file.ts";

/** The open files of a logical unit. */
export interface Backing {
  readonly file: FileStore;
  readonly thin: ThinStore | undefined;
  /** The store above both. */
  readonly medium: BlockStore;
  readonly journal: AtomicJournalFile;
  readonly sanitizeFile: SanitizeFile;
}

/** The options with which the backing files of logical units are opened. */
export interface BackingOptions {
  /** The folder in which this worker keeps state. */
  readonly place: string;
  /** Identities by the path of the backing file. */
  readonly identities: ReadonlyMap<string, Identity>;
  /** The link to open for a backing file or device, by its path. */
  readonly backingLinks: ReadonlyMap<string, string>;
  /** Reasons for which some backings cannot be opened, by path; none by default. */
  readonly unavailable?: ReadonlyMap<string, string>;
  /** Reasons for which backings, with their state, must not be opened yet, by path. None by default. */
  readonly arriving?: ReadonlyMap<string, string>;
  /** Returns the hole puncher of a backing file; undefined if it supports no holes. None by default. */
  readonly puncherOf?: ((path: string) => HolePuncher | undefined) | undefined;
  /** Counts operations off the event loop. */
  readonly activity?: FileActivity | undefined;
  readonly log: EventLog;
  readonly clock: Clock;
  /** Called with the path of a backing that fails. */
  readonly onFault?: ((path: string) => void) | undefined;
}

/** The options with which the files of one logical unit are opened. */
export interface OpenBackingOptions extends BackingOptions {
  /** The recorded identity, by which the unit's state is named. */
  readonly recorded: Identity;
  readonly readOnly: boolean;
  readonly journalPath: string;
}

/**
 * Opens the files of a logical unit.
 *
 * @throws {StoreError} when one cannot be opened; then none stays open
 */
export function openBacking({ path, sizeBytes }: LogicalUnitConfig, options: OpenBackingOptions): Backing {
  const problem = options.unavailable?.get(path);
  if (problem !== undefined) throw new StoreError("readFailed", problem);
  const { readOnly, backingLinks, activity, puncherOf, place, recorded } = options;
  const file = FileStore.open(path, { at: backingLinks.get(path), sizeBytes, readOnly, activity });
  try {
    const sanitizeFile = openSanitizeFile(place, recorded, path, activity);
    const journal = openJournal(file, path, options);
    const puncher = puncherOf?.(path);
    const thin = puncher === undefined ? undefined : new ThinStore(file, { puncher, isEmpty: file.isEmpty });
    return { file, thin, medium: thin ?? file, journal, sanitizeFile };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Opens the journal, after undoing an atomic write that a killed server left incomplete. */
function openJournal(
  file: FileStore,
  path: string,
  { journalPath, recorded: { naa }, activity, log }: OpenBackingOptions,
): AtomicJournalFile {
  const recovery = recoverAtomicWrites(journalPath, naa, file);
  if (recovery !== undefined) log.warning(describeRecovery(recovery, path, journalPath));
  if (!file.readOnly) allocate(journalPath, log);
  return new AtomicJournalFile(journalPath, { store: file, owner: naa, roomBytes: RECORDED_BYTES, activity });
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

/** Allocates the space of a journal. Without it the unit is served, but atomic writes need free space. */
export function allocate(journalPath: string, log: EventLog): void {
  try {
    allocateJournal(journalPath, RECORDED_BYTES);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    log.warning(`${error.message}; atomic writes fail while the file system is full`);
  }
}
