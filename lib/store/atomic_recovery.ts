/** Recovery of atomic writes when a logical unit is opened, before any other use of its store. */
import { dirname } from "@std/path";
import {
  BODY_OFFSET,
  decodeJournal,
  examineWrite,
  isBlank,
  type JournalContent,
  recordBytesMax,
  type RecordedWrite,
  SECTOR_BYTES,
  type WriteState,
} from "./atomic_record.ts";
import { type BlockStore, StoreError } from "./block_store.ts";
import { storeError } from "./os_error.ts";
import { PRIVATE_FILE_MODE } from "./stable_storage.ts";
import { findDifferences } from "./write_or_restore.ts";

/** A store that is being opened. Its `...Now` forms never return false. */
export interface OpeningStore extends Pick<BlockStore, "sizeBytes" | "readOnly" | "readNow" | "writeNow"> {
  /** Makes all written data durable, whichever process wrote it. */
  flushNow(): void;
}

/** An event of `recoverAtomicWrites` that should be reported. */
export interface Recovery {
  /**
   * `restored`: the old bytes of torn writes were restored. `incomplete`: the writes of the record had not begun.
   * `other`: the store holds other content than the recorded writes. `damaged`: the journal cannot be decoded.
   */
  readonly kind: "restored" | "incomplete" | "other" | "damaged";
  /** The file with the record, which is never applied again. */
  readonly keptPath?: string;
}

/** Returns the path for a journal that could not be applied. */
export function keptJournalOf(journalPath: string): string {
  return `${journalPath}.kept`;
}

/**
 * Restores the bytes that interrupted writes replaced.
 *
 * @param journalPath the file need not exist
 * @param owner the NAA designator of the logical unit
 * @returns the event to report, if there was one
 * @throws {StoreError} when it fails: of kind `readOnly` when the store is not writable
 */
export function recoverAtomicWrites(
  journalPath: string,
  owner: string,
  store: OpeningStore,
): Recovery | undefined {
  const content = readJournal(journalPath);
  switch (content.kind) {
    case "nothing":
      return undefined;
    case "newer":
      throw new StoreError(
        "readFailed",
        `Cannot use journal "${journalPath}": it has version ${content.version}, ` +
          "which this program does not support; start the newer program once",
      );
    case "incomplete":
      eraseRecord(journalPath);
      return { kind: "incomplete" };
    case "damaged":
      return { kind: "damaged", keptPath: renameForInspection(journalPath) };
    case "record":
      return restoreWrites(journalPath, content, owner, store);
  }
}

/**
 * Allocates the space of a journal, so an atomic write needs none on a full file system. A journal with a record is not
 * changed.
 *
 * @param roomBytes bytes of the write whose record must fit
 * @throws {StoreError} when there is not enough space; the journal then takes space when it needs it
 */
export function allocateJournal(journalPath: string, roomBytes: number): void {
  const lengthBytes = BODY_OFFSET + recordBytesMax(roomBytes);
  try {
    const { size, blocks } = statIfThere(journalPath) ?? { size: 0, blocks: 0 };
    if (size >= lengthBytes && (blocks ?? 0) * 512 >= lengthBytes) return;
    if (size > 0 && !isBlank(readStart(journalPath))) return;
    Deno.mkdirSync(dirname(journalPath), { recursive: true, mode: 0o700 });
    using file = Deno.openSync(journalPath, { write: true, create: true, mode: PRIVATE_FILE_MODE });
    writeAllNow(file, new Uint8Array(lengthBytes));
  } catch (error) {
    throw storeError("writeFailed", `Cannot allocate journal "${journalPath}"`, error);
  }
}

function readJournal(path: string): JournalContent {
  try {
    // A journal is usually blank, and reading all of it may access the disk.
    return isBlank(readStart(path)) ? { kind: "nothing" } : decodeJournal(Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { kind: "nothing" };
    throw storeError("readFailed", `Cannot read journal "${path}"`, error);
  }
}

function restoreWrites(
  path: string,
  record: Extract<JournalContent, { kind: "record" }>,
  owner: string,
  store: OpeningStore,
): Recovery | undefined {
  const states = record.writes.map((write) => stateOf(write, store));
  const isOfOther = record.owner !== undefined && record.owner !== owner.toLowerCase();
  if (isOfOther || states.includes("other")) return { kind: "other", keptPath: renameForInspection(path) };
  const torn = record.writes.filter((_, index) => states[index] === "torn");
  if (torn.length > 0 && store.readOnly) {
    const reason = "the store is read-only; make it writable and start once, then make it read-only again";
    throw new StoreError("readOnly", `Cannot restore an interrupted write from "${path}": ${reason}`);
  }
  for (const write of torn) restoreNow(write, store);
  // The current content, even of a whole write, must be durable before its record is erased.
  store.flushNow();
  eraseRecord(path);
  return torn.length > 0 ? { kind: "restored" } : undefined;
}

function stateOf(write: RecordedWrite, store: OpeningStore): WriteState {
  const { offset, old } = write;
  return offset + old.length > store.sizeBytes
    ? "other"
    : examineWrite(write, read(store, offset, old.length));
}

/** Writes the old bytes where the store holds others. */
function restoreNow({ offset, old }: RecordedWrite, store: OpeningStore): void {
  for (const { start, end } of findDifferences(offset, read(store, offset, old.length), old, SECTOR_BYTES)) {
    assertDone(store.writeNow(offset + start, old.subarray(start, end)));
  }
}

function read(store: OpeningStore, offset: number, lengthBytes: number): Uint8Array {
  const held = new Uint8Array(lengthBytes);
  assertDone(store.readNow(offset, held));
  return held;
}

function assertDone(isDone: boolean): void {
  if (!isDone) throw new Error("A store that is being opened did not act at once");
}

/** Erases the record of a journal. */
function eraseRecord(path: string): void {
  try {
    using file = Deno.openSync(path, { write: true });
    writeAllNow(file, new Uint8Array(SECTOR_BYTES));
  } catch (error) {
    throw storeError("writeFailed", `Cannot write journal "${path}"`, error);
  }
}

/** Renames a journal, for inspection. */
function renameForInspection(path: string): string {
  try {
    Deno.renameSync(path, keptJournalOf(path));
    return keptJournalOf(path);
  } catch (error) {
    throw storeError("writeFailed", `Cannot rename journal "${path}"`, error);
  }
}

/** Reads the part of a journal that shows whether it is blank. */
function readStart(path: string): Uint8Array {
  using file = Deno.openSync(path, { read: true });
  const start = new Uint8Array(SECTOR_BYTES);
  return start.subarray(0, file.readSync(start) ?? 0);
}

function statIfThere(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function writeAllNow(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
}
