/**
 * The journal of atomic writes: one record, of the bytes that the write under way replaces.
 *
 * ```text
 *     0 | "ISCSIUND", or zeros when nothing is recorded
 *     8 | version: 1
 *    12 | how many bytes were replaced
 *    16 | from where on
 *    24 | CRC32C of bytes 0-23 and of the replaced bytes
 *  4096 | the replaced bytes
 * ```
 *
 * The header is written after the bytes and lies within one page, so that after `kill -9` a record is complete or not
 * there. After a power failure anything may be on the disk: an incomplete record is told by its checksum. A complete
 * one of a write that was finished, and has been overwritten since, must not be found either: so whoever flushes the
 * store flushes its journal too before he says so, and by then the record is gone.
 */
import { readUint32, readUint64, writeUint32, writeUint64 } from "../bytes/big_endian.ts";
import { crc32c } from "../bytes/crc32c.ts";
import { type BlockStore, StoreError } from "./block_store.ts";
import { putBackNow } from "./put_back.ts";

/** Keeps a write whole across the death of the process. */
export interface AtomicJournal {
  /**
   * Does `work`, which replaces the bytes `old` at `offset`, so that they are put back if the process dies in it. One
   * such piece of work is done at a time.
   *
   * @throws {StoreError} (rejects) when the journal fails, without having begun `work`; and whatever `work` throws
   */
  protect(offset: number, old: Uint8Array, work: () => Promise<void>): Promise<void>;

  /**
   * Resolves when no work that was complete before the call will be undone, not even after a power failure.
   *
   * @throws {StoreError} (rejects) of kind `flushFailed` when that cannot be promised
   */
  flush(): Promise<void>;

  /** Nothing may be under way and nothing may follow. */
  close(): void;
}

const MAGIC = new TextEncoder().encode("ISCSIUND");
const VERSION = 1;
const HEADER_BYTES = 28;
const CHECKSUM_OFFSET = 24;
const DATA_OFFSET = 4096;

interface Replaced {
  readonly offset: number;
  readonly old: Uint8Array;
}

function encodeHeader({ offset, old }: Replaced): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  header.set(MAGIC);
  writeUint32(header, 8, VERSION);
  writeUint32(header, 12, old.length);
  writeUint64(header, 16, offset);
  writeUint32(header, CHECKSUM_OFFSET, crc32c(old, crc32c(header.subarray(0, CHECKSUM_OFFSET))));
  return header;
}

/** What a journal has recorded; undefined when there is nothing, or nothing complete. */
function decodeRecord(bytes: Uint8Array): Replaced | undefined {
  if (bytes.length < DATA_OFFSET || MAGIC.some((byte, index) => bytes[index] !== byte)) return undefined;
  if (readUint32(bytes, 8) !== VERSION) return undefined;
  const old = bytes.subarray(DATA_OFFSET, DATA_OFFSET + readUint32(bytes, 12));
  const checksum = crc32c(old, crc32c(bytes.subarray(0, CHECKSUM_OFFSET)));
  if (readUint32(bytes, CHECKSUM_OFFSET) !== checksum) return undefined;
  return { offset: readUint64(bytes, 16), old };
}

/** A journal in a file of its own, which is made when there is first something to record. */
export class AtomicJournalFile implements AtomicJournal {
  readonly #path: string;
  #file: Deno.FsFile | undefined;
  #turn: Promise<void> = Promise.resolve();
  /** The file may have been written since it was last made durable, be it by the process before. */
  #isUnsynced = true;
  #syncing: Promise<void> = Promise.resolve();
  #flushFailure: StoreError | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Puts back what an interrupted write has replaced. To be called before anything else is done with the store.
   *
   * @param store one whose `...Now` forms never decline
   * @returns whether there was such a write
   * @throws {StoreError} when that cannot be done: of kind `readOnly` when the store cannot be written to
   */
  recover(store: BlockStore): boolean {
    const replaced = this.#read();
    if (replaced === undefined) return false;
    if (store.readOnly) {
      const remedy = "make it writable and start once, then make it read-only again";
      throw new StoreError("readOnly", `Cannot take back an interrupted write by "${this.#path}": ${remedy}`);
    }
    putBackNow(store, replaced.offset, replaced.old);
    // An empty journal has nothing recorded, and no record is lost that a second death would need.
    Deno.truncateSync(this.#path);
    return true;
  }

  async protect(offset: number, old: Uint8Array, work: () => Promise<void>): Promise<void> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    try {
      await this.#record({ offset, old });
      try {
        await work();
      } finally {
        await this.#retire();
      }
    } finally {
      resolve();
    }
  }

  async flush(): Promise<void> {
    if (this.#isUnsynced) {
      this.#isUnsynced = false;
      this.#syncing = this.#syncAfter(this.#syncing);
    }
    await this.#syncing;
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #read(): Replaced | undefined {
    try {
      return decodeRecord(Deno.readFileSync(this.#path));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw new StoreError("readFailed", `Cannot read journal "${this.#path}"`, { cause: error });
    }
  }

  async #record(replaced: Replaced): Promise<void> {
    await this.#write(DATA_OFFSET, replaced.old);
    await this.#write(0, encodeHeader(replaced));
  }

  /** A record that cannot be taken out may be put back over whatever is written later: no flush can promise that. */
  async #retire(): Promise<void> {
    try {
      await this.#write(0, new Uint8Array(HEADER_BYTES));
    } catch (error) {
      this.#flushFailure ??= this.#flushError(error);
      throw error;
    }
  }

  async #write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#isUnsynced = true;
    try {
      this.#file ??= Deno.openSync(this.#path, { read: true, write: true, create: true, mode: 0o600 });
      this.#file.seekSync(offset, Deno.SeekMode.Start);
      for (let written = 0; written < bytes.length;) {
        written += await this.#file.write(bytes.subarray(written));
      }
    } catch (error) {
      const isFull = error instanceof Error && /\(os error (28|122)\)/.test(error.message);
      const kind = isFull ? "outOfSpace" : "writeFailed";
      throw new StoreError(kind, `Cannot write journal "${this.#path}"`, { cause: error });
    }
  }

  /**
   * A failed flush is final, as that of a `FileStore` is: what the kernel has dropped may be the zeros in place of a
   * record, and the next fdatasync would succeed without them.
   */
  async #syncAfter(before: Promise<void>): Promise<void> {
    await before.catch(() => {});
    if (this.#flushFailure !== undefined) throw this.#flushFailure;
    let file: Deno.FsFile | undefined;
    try {
      file = this.#file ??= openExisting(this.#path);
    } catch (error) {
      this.#isUnsynced = true;
      throw this.#flushError(error);
    }
    try {
      await file?.syncData();
    } catch (error) {
      this.#flushFailure = this.#flushError(error);
      throw this.#flushFailure;
    }
  }

  #flushError(cause: unknown): StoreError {
    return new StoreError("flushFailed", `Cannot flush journal "${this.#path}"`, { cause });
  }
}

/** Undefined when there is no such file, and so nothing to make durable. */
function openExisting(path: string): Deno.FsFile | undefined {
  try {
    return Deno.openSync(path, { read: true, write: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
