/** The journal of atomic writes when a logical unit is opened, before anything else is done with its store. */
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
import { findDifferences } from "./put_back.ts";

/** A store that is being opened: its `...Now` forms never decline. */
export interface OpeningStore extends Pick<BlockStore, "sizeBytes" | "readOnly" | "readNow" | "writeNow"> {
  /** Makes everything durable that was written, by whichever process. */
  flushNow(): void;
}

/** An event of `recoverAtomicWrites` that should be known. */
export interface Recovery {
  /**
   * `takenBack`: torn writes, whose old bytes are there again. `incomplete`: a record whose writes had not begun.
   * `other`: the record of writes to other content than the store has. `damaged`: a file that cannot be read.
   */
  readonly kind: "takenBack" | "incomplete" | "other" | "damaged";
  /** The file in which the record is kept: it is never applied again. */
  readonly keptPath?: string;
}

/** Returns the path of the file in which a journal is kept that could not be applied. */
export function keptJournalOf(journalPath: string): string {
  return `${journalPath}.kept`;
}

/**
 * Puts back what interrupted writes have replaced.
 *
 * @param journalPath there need be no such file
 * @param owner the NAA designator of the logical unit
 * @returns the event that should be known, if there was one
 * @throws {StoreError} when that cannot be done: of kind `readOnly` when the store cannot be written to
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
        `Cannot use journal "${journalPath}": it is of version ${content.version}, which this program does not know; ` +
          "start the newer program once",
      );
    case "incomplete":
      retire(journalPath);
      return { kind: "incomplete" };
    case "damaged":
      return { kind: "damaged", keptPath: putAside(journalPath) };
    case "record":
      return takeBack(journalPath, content, owner, store);
  }
}

/**
 * Has a journal take space, so that an atomic write needs none when there is none left. One in which something is
 * recorded stays as it is.
 *
 * @param roomBytes bytes of a write for whose record there is to be space
 * @throws {StoreError} when there is not so much space: then space is taken when it is needed
 */
export function allocateJournal(journalPath: string, roomBytes: number): void {
  const lengthBytes = BODY_OFFSET + recordBytesMax(roomBytes);
  try {
    const { size, blocks } = statIfThere(journalPath) ?? { size: 0, blocks: 0 };
    if (size >= lengthBytes && (blocks ?? 0) * 512 >= lengthBytes) return;
    if (size > 0 && !isBlank(readStart(journalPath))) return;
    Deno.mkdirSync(dirname(journalPath), { recursive: true, mode: 0o700 });
    using file = Deno.openSync(journalPath, { write: true, create: true, mode: 0o600 });
    writeAllNow(file, new Uint8Array(lengthBytes));
  } catch (error) {
    throw storeError("writeFailed", `Cannot take space for journal "${journalPath}"`, error);
  }
}

function readJournal(path: string): JournalContent {
  try {
    // A journal is usually blank, and its other bytes may have to be read from the disk.
    return isBlank(readStart(path)) ? { kind: "nothing" } : decodeJournal(Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { kind: "nothing" };
    throw storeError("readFailed", `Cannot read journal "${path}"`, error);
  }
}

function takeBack(
  path: string,
  record: Extract<JournalContent, { kind: "record" }>,
  owner: string,
  store: OpeningStore,
): Recovery | undefined {
  const states = record.writes.map((write) => stateOf(write, store));
  const isOfOther = record.owner !== undefined && record.owner !== owner.toLowerCase();
  if (isOfOther || states.includes("other")) return { kind: "other", keptPath: putAside(path) };
  const torn = record.writes.filter((_, index) => states[index] === "torn");
  if (torn.length > 0 && store.readOnly) {
    const remedy = "make it writable and start once, then make it read-only again";
    throw new StoreError("readOnly", `Cannot take back an interrupted write by "${path}": ${remedy}`);
  }
  for (const write of torn) putBackNow(write, store);
  // What is there now, even of a write that is whole, must be on the disk before its record is gone from it.
  store.flushNow();
  retire(path);
  return torn.length > 0 ? { kind: "takenBack" } : undefined;
}

function stateOf(write: RecordedWrite, store: OpeningStore): WriteState {
  const { offset, old } = write;
  return offset + old.length > store.sizeBytes
    ? "other"
    : examineWrite(write, read(store, offset, old.length));
}

/** Writes the old bytes wherever others are. */
function putBackNow({ offset, old }: RecordedWrite, store: OpeningStore): void {
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
  if (!isDone) throw new Error("A store that is being opened declined to act at once");
}

/** Has a journal have nothing recorded. */
function retire(path: string): void {
  try {
    using file = Deno.openSync(path, { write: true });
    writeAllNow(file, new Uint8Array(SECTOR_BYTES));
  } catch (error) {
    throw storeError("writeFailed", `Cannot write journal "${path}"`, error);
  }
}

/** Keeps a journal under another name, for inspection. */
function putAside(path: string): string {
  try {
    Deno.renameSync(path, keptJournalOf(path));
    return keptJournalOf(path);
  } catch (error) {
    throw storeError("writeFailed", `Cannot put journal "${path}" aside`, error);
  }
}

/** Reads as much of a journal as shows whether it is blank. */
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
