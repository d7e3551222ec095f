import { type BlockStore, type Direction, StoreError } from "./block_store.ts";
import type { ByteRange } from "./byte_range.ts";
import { FileActivity } from "./file_activity.ts";
import { FlushQueue } from "./flush_queue.ts";
import { HandlePool } from "./handle_pool.ts";
import { storeError } from "./os_error.ts";
import type { Extent } from "./space_map.ts";
import { zeroFill } from "./zero_fill.ts";

/** The options of a `FileStore`. */
export interface FileStoreOptions {
  /** Size of the store; the file may be larger (a block device often is) but not smaller. */
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** The path to open, if it differs from the path in messages. */
  readonly at?: string | undefined;
  /** Counts the operations off the event loop. */
  readonly activity?: FileActivity | undefined;
}

/** The identity of a file, independent of its path. */
type FileIdentity = Pick<Deno.FileInfo, "dev" | "ino">;

/** The reason for refusing to open a path. */
const REPLACED = "another file has replaced it";

/**
 * A block store on a file or a block device.
 *
 * A handle has one position and one operation at a time, so the store has handles for three kinds of work: one for the
 * `...Now` forms, a pool for the forms that complete later, and one for flushes, so that a slow flush blocks nothing
 * else. The `...Now` forms never return false: they are as fast as the page cache and, on a miss, as slow as the disk.
 */
export class FileStore implements BlockStore {
  readonly canUnmap = false;
  readonly #path: string;
  #at: string;
  readonly #file: FileIdentity;
  readonly #activity: FileActivity;
  readonly #mark: Int32Array;
  readonly #number: number;
  #sizeBytes: number;
  #readOnly: boolean;
  /** The store was never writable, so there is nothing to flush. */
  #neverWritten: boolean;
  #immediate: Deno.FsFile;
  #flusher: Deno.FsFile;
  #pool: HandlePool;
  readonly #flushes = new FlushQueue({
    sync: () => this.#activity.during(this.#path, () => this.#flusher.syncData()),
    toError: (cause) => storeError("flushFailed", `Cannot flush "${this.#path}"`, cause),
  });

  /**
   * Opens the file at `path`, which must exist.
   *
   * @throws {StoreError} of kind `readFailed` when it cannot be opened or is smaller than `sizeBytes`
   */
  static open(path: string, options: FileStoreOptions): FileStore {
    const { at = path, readOnly } = options;
    const opened: Deno.FsFile[] = [];
    try {
      const { handle: first, file } = openFile(at, readOnly);
      opened.push(first);
      assertLength(first, path, options.sizeBytes);
      const again = (): Deno.FsFile => openSame(at, readOnly, file);
      const flusher = again();
      opened.push(flusher);
      const pool = new HandlePool(again(), () => openSameLater(at, readOnly, file));
      return new FileStore(path, { ...options, file }, first, flusher, pool);
    } catch (error) {
      for (const handle of opened) handle.close();
      throw storeError("readFailed", `Cannot open "${path}"`, error);
    }
  }

  private constructor(
    path: string,
    options: FileStoreOptions & { readonly file: FileIdentity },
    now: Deno.FsFile,
    flusher: Deno.FsFile,
    pool: HandlePool,
  ) {
    this.#sizeBytes = options.sizeBytes;
    this.#readOnly = options.readOnly;
    this.#neverWritten = options.readOnly;
    this.#path = path;
    this.#at = options.at ?? path;
    this.#activity = options.activity ?? new FileActivity();
    this.#mark = this.#activity.mark;
    this.#number = this.#activity.numberOf(path);
    this.#file = options.file;
    this.#immediate = now;
    this.#flusher = flusher;
    this.#pool = pool;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get readOnly(): boolean {
    return this.#readOnly;
  }

  /**
   * Extends the store over more of the file, which has grown.
   *
   * @throws {StoreError} of kind `readFailed` when the file is too short; nothing changes then
   */
  grow(sizeBytes: number): void {
    assertLength(this.#immediate, this.#path, sizeBytes);
    this.#sizeBytes = sizeBytes;
  }

  /**
   * Opens the file in another mode, at its current path. Operations under way continue with the old handles.
   *
   * @throws {StoreError} of kind `readFailed` when that fails; nothing changes then
   */
  reopen(at: string, readOnly: boolean): void {
    const opened: Deno.FsFile[] = [];
    try {
      for (let count = 0; count < 3; count++) opened.push(openSame(at, readOnly, this.#file));
      const [now, flusher, pooled] = opened as [Deno.FsFile, Deno.FsFile, Deno.FsFile];
      const pool = new HandlePool(pooled, () => openSameLater(at, readOnly, this.#file));
      const before = [this.#immediate, this.#flusher, this.#pool] as const;
      [this.#immediate, this.#flusher, this.#pool] = [now, flusher, pool];
      before[0].close();
      before[2].close();
      this.#flushes.afterQueued(() => before[1].close());
      this.#at = at;
      this.#readOnly = readOnly;
      if (!readOnly) this.#neverWritten = false;
    } catch (error) {
      for (const handle of opened) handle.close();
      throw storeError("readFailed", `Cannot open "${this.#path}"`, error);
    }
  }

  readNow(offset: number, into: Uint8Array): boolean {
    this.#mark[0] = this.#number;
    try {
      this.#immediate.seekSync(offset, Deno.SeekMode.Start);
      for (let filled = 0; filled < into.length;) {
        filled += bytesMoved(this.#immediate.readSync(rest(into, filled)));
      }
      return true;
    } catch (error) {
      throw this.#failure("read", offset, into, error);
    }
  }

  read(offset: number, into: Uint8Array): Promise<void> {
    return this.#transfer("read", offset, into);
  }

  writeNow(offset: number, from: Uint8Array): boolean {
    this.#mark[0] = this.#number;
    this.#assertWritable();
    try {
      this.#immediate.seekSync(offset, Deno.SeekMode.Start);
      for (let written = 0; written < from.length;) {
        written += bytesMoved(this.#immediate.writeSync(rest(from, written)));
      }
      return true;
    } catch (error) {
      throw this.#failure("write", offset, from, error);
    }
  }

  async write(offset: number, from: Uint8Array): Promise<void> {
    this.#assertWritable();
    this.#activity.begin(this.#path);
    try {
      await this.#transfer("write", offset, from);
    } finally {
      this.#activity.end(this.#path);
    }
  }

  flush(): Promise<void> {
    return this.#neverWritten ? Promise.resolve() : this.#flushes.flush();
  }

  /**
   * Flushes synchronously what any process has written, before anything is served.
   *
   * @throws {StoreError} of kind `flushFailed`
   */
  flushNow(): void {
    this.#mark[0] = this.#number;
    this.#flushes.throwIfFailed();
    try {
      this.#flusher.syncDataSync();
    } catch (error) {
      throw this.#flushes.fail(error);
    }
  }

  async unmap(ranges: readonly ByteRange[]): Promise<void> {
    this.#assertWritable();
    for (const range of ranges) await zeroFill(this, range);
  }

  /** Returns that all of the store may take space, because Deno cannot read the allocation map of a file. */
  extentAt(): Extent {
    return { isMapped: true, endBytes: this.sizeBytes };
  }

  /** The file is known to take no space. */
  get isEmpty(): boolean {
    const found = inspect(this.#at);
    // A block device has no blocks of a file system.
    return found?.isFile === true && isSame(found, this.#file) && found.blocks === 0;
  }

  /** Closes the store. Operations under way continue; later ones fail. */
  close(): void {
    this.#immediate.close();
    this.#pool.close();
    const flusher = this.#flusher;
    this.#flushes.afterQueued(() => flusher.close());
  }

  #assertWritable(): void {
    if (this.readOnly) {
      throw new StoreError("readOnly", `Cannot write "${this.#path}": it is open read-only`);
    }
  }

  /** Transfers bytes off the event loop, with a handle of the pool. */
  async #transfer(direction: Direction, offset: number, bytes: Uint8Array): Promise<void> {
    try {
      const pool = this.#pool;
      const handle = pool.take() ?? await pool.nextGivenBack();
      try {
        handle.seekSync(offset, Deno.SeekMode.Start);
        for (let moved = 0; moved < bytes.length;) {
          moved += bytesMoved(await handle[direction](rest(bytes, moved)));
        }
      } finally {
        pool.giveBack(handle);
      }
    } catch (error) {
      throw this.#failure(direction, offset, bytes, error);
    }
  }

  #failure(direction: Direction, offset: number, { length }: Uint8Array, error: unknown): StoreError {
    const action = `Cannot ${direction} ${length} bytes at ${offset} of "${this.#path}"`;
    return storeError(`${direction}Failed`, action, error);
  }
}

/** @throws {StoreError} of kind `readFailed` when a file is too short */
function assertLength(file: Deno.FsFile, path: string, sizeBytes: number): void {
  // The size of a block device in stat is 0, so seek to the end.
  const missing = sizeBytes - file.seekSync(0, Deno.SeekMode.End);
  if (missing > 0) {
    throw new StoreError("readFailed", `Cannot open "${path}": file is ${missing} bytes short`);
  }
}

/**
 * Opens a file and determines its identity. Deno can stat an open file only with permission for its real path, which a
 * worker lacks that opens it by a link. So the path is inspected before and after.
 */
function openFile(path: string, readOnly: boolean): { handle: Deno.FsFile; file: Deno.FileInfo } {
  const before = inspect(path);
  const handle = Deno.openSync(path, { read: true, write: !readOnly });
  const file = inspect(path);
  if (before !== undefined && file !== undefined && isSame(before, file)) return { handle, file };
  handle.close();
  throw new Error(REPLACED);
}

/** Inspects a path; returns undefined when that fails. */
function inspect(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}

/** Opens a path again, and checks that it is still the expected file. */
function openSame(path: string, readOnly: boolean, expected: FileIdentity): Deno.FsFile {
  const { handle, file } = openFile(path, readOnly);
  if (isSame(file, expected)) return handle;
  handle.close();
  throw new Error(REPLACED);
}

/** Does the same off the event loop, which the file system of a hanging disk would block. */
async function openSameLater(path: string, readOnly: boolean, expected: FileIdentity): Promise<Deno.FsFile> {
  if (!isSame(await Deno.stat(path), expected)) throw new Error(REPLACED);
  const handle = await Deno.open(path, { read: true, write: !readOnly });
  try {
    if (isSame(await Deno.stat(path), expected)) return handle;
  } catch (error) {
    handle.close();
    throw error;
  }
  handle.close();
  throw new Error(REPLACED);
}

function isSame(a: FileIdentity, b: FileIdentity): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/**
 * Checks the result of a read or write call, and returns the number of bytes moved. The store lies within the file, so
 * an end of file means that it was truncated; filling up with zeros would invent data.
 */
function bytesMoved(count: number | null): number {
  if (count === null) throw new Error("unexpected end of file");
  if (count === 0) throw new Error("write returned 0 bytes");
  return count;
}

/** Returns the rest of a buffer: in the usual case the buffer itself, without a new view. */
function rest(bytes: Uint8Array, doneBytes: number): Uint8Array {
  return doneBytes === 0 ? bytes : bytes.subarray(doneBytes);
}
