import { type BlockStore, StoreError } from "./block_store.ts";
import type { ByteRange } from "./byte_range.ts";
import { FileActivity } from "./file_activity.ts";
import { FlushQueue } from "./flush_queue.ts";
import { HandlePool } from "./handle_pool.ts";
import { storeError } from "./os_error.ts";
import type { Extent } from "./space_map.ts";
import { zeroFill } from "./zero_fill.ts";

/** How to open a `FileStore`. */
export interface FileStoreOptions {
  /** How much of the file is the store; the file may be larger (a block device often is) but not smaller. */
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** Where the file is opened, if not at its own path, which stands in messages. */
  readonly at?: string | undefined;
  /** Counts what is under way off the event loop. */
  readonly activity?: FileActivity | undefined;
}

/** Which file it is, whatever its path leads to by now. */
type FileIdentity = Pick<Deno.FileInfo, "dev" | "ino">;

/** Bytes go from the file or to it. */
type Direction = "read" | "write";

/** The reason why a path is not opened. */
const REPLACED = "another file has taken its place";

/**
 * A block store on a file or a block device.
 *
 * It holds handles for three kinds of work, because a handle has one position and one operation at a time: one for
 * the `...Now` forms, a pool for the forms that complete later, and one for flushes, so that a flush, which may
 * take seconds, stands in nobody's way. The `...Now` forms are always taken here: they are as fast as the page
 * cache and, where that misses, as slow as the disk.
 */
export class FileStore implements BlockStore {
  readonly canUnmap = false;
  readonly #path: string;
  #at: string;
  readonly #file: FileIdentity;
  readonly #activity: FileActivity;
  #sizeBytes: number;
  #readOnly: boolean;
  /** It has never been open for writing, so that there is nothing to flush. */
  #neverWritten: boolean;
  #now: Deno.FsFile;
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
    this.#file = options.file;
    this.#now = now;
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
   * Takes in more of the file, which has become longer.
   *
   * @throws {StoreError} of kind `readFailed` when it has not; nothing has changed then
   */
  grow(sizeBytes: number): void {
    assertLength(this.#now, this.#path, sizeBytes);
    this.#sizeBytes = sizeBytes;
  }

  /**
   * Opens the file in another mode, at whatever path leads to it now. What is under way goes on as it began.
   *
   * @throws {StoreError} of kind `readFailed` when that cannot be; nothing has changed then
   */
  reopen(at: string, readOnly: boolean): void {
    const opened: Deno.FsFile[] = [];
    try {
      for (let count = 0; count < 3; count++) opened.push(openSame(at, readOnly, this.#file));
      const [now, flusher, pooled] = opened as [Deno.FsFile, Deno.FsFile, Deno.FsFile];
      const pool = new HandlePool(pooled, () => openSameLater(at, readOnly, this.#file));
      const before = [this.#now, this.#flusher, this.#pool] as const;
      [this.#now, this.#flusher, this.#pool] = [now, flusher, pool];
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
    try {
      this.#now.seekSync(offset, Deno.SeekMode.Start);
      for (let filled = 0; filled < into.length;) {
        filled += bytesMoved(this.#now.readSync(rest(into, filled)));
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
    this.#assertWritable();
    try {
      this.#now.seekSync(offset, Deno.SeekMode.Start);
      for (let written = 0; written < from.length;) {
        written += bytesMoved(this.#now.writeSync(rest(from, written)));
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
   * Makes durable at once what has been written, by whichever process. It is for the time before anything is served.
   *
   * @throws {StoreError} of kind `flushFailed`
   */
  flushNow(): void {
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

  /** The kernel's map of the file is out of reach: all of it may take space. */
  extentAt(): Extent {
    return { isMapped: true, endBytes: this.sizeBytes };
  }

  /** Whether nothing of the file takes space; false when that cannot be found out. */
  get isEmpty(): boolean {
    const found = lookAt(this.#at);
    return found !== undefined && isSame(found, this.#file) && found.blocks === 0;
  }

  /** What is under way goes on; what follows fails. */
  close(): void {
    this.#now.close();
    this.#pool.close();
    const flusher = this.#flusher;
    this.#flushes.afterQueued(() => flusher.close());
  }

  #assertWritable(): void {
    if (this.readOnly) {
      throw new StoreError("readOnly", `Cannot write "${this.#path}": it is opened read-only`);
    }
  }

  /** Moves bytes off the event loop, with a handle of the pool. */
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
  // For a block device, stat says 0; the end of the medium is where a seek to the end arrives.
  const missing = sizeBytes - file.seekSync(0, Deno.SeekMode.End);
  if (missing > 0) {
    throw new StoreError("readFailed", `Cannot open "${path}": file is ${missing} bytes short`);
  }
}

/**
 * Opens a file, and finds out which one it is. Deno looks at an open file only with a right to where it really is,
 * which nobody has who reaches it by a link: so the path is looked at, before and after.
 */
function openFile(path: string, readOnly: boolean): { handle: Deno.FsFile; file: Deno.FileInfo } {
  const before = lookAt(path);
  const handle = Deno.openSync(path, { read: true, write: !readOnly });
  const file = lookAt(path);
  if (before !== undefined && file !== undefined && isSame(before, file)) return { handle, file };
  handle.close();
  throw new Error(REPLACED);
}

/** Looks at what a path leads to; undefined when that cannot be looked at. */
function lookAt(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}

/** Opens `path` once more, and makes sure that it still is the file that was expected. */
function openSame(path: string, readOnly: boolean, expected: FileIdentity): Deno.FsFile {
  const { handle, file } = openFile(path, readOnly);
  if (isSame(file, expected)) return handle;
  handle.close();
  throw new Error(REPLACED);
}

/** Does the same off the event loop, which the file system of a disk that hangs would block. */
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
 * The result of a read or write call: how many bytes it moved, which is never none. The store lies within the
 * file, so an end of file means that somebody cut it off: zeros in its place would be invented data.
 */
function bytesMoved(count: number | null): number {
  if (count === null) throw new Error("the file ends before");
  if (count === 0) throw new Error("the medium takes no more");
  return count;
}

/** What is left of a buffer: the buffer itself, without a new view, in the case that counts. */
function rest(bytes: Uint8Array, doneBytes: number): Uint8Array {
  return doneBytes === 0 ? bytes : bytes.subarray(doneBytes);
}
