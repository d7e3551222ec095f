import { dirname } from "@std/path";
import { StoreError } from "./block_store.ts";
import { FileActivity } from "./file_activity.ts";
import { errorMessage } from "../base/error_message.ts";

/** What is kept of initiators is nobody's business on this machine. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** ENOSPC, and EDQUOT when a quota is what is full. */
const OUT_OF_SPACE = /\(os error (28|122)\)/;

/**
 * A small text that outlives a loss of power: at any moment, and after one, the file holds the whole of the text before
 * or the whole of the one after.
 */
export class DurableFile {
  readonly #path: string;
  readonly #activity: FileActivity;

  /** @param activity counts what is under way off the event loop */
  constructor(path: string, activity: FileActivity = new FileActivity()) {
    this.#path = path;
    this.#activity = activity;
  }

  /**
   * Returns the text; undefined when none was ever kept.
   *
   * @throws {StoreError} of kind `readFailed`
   */
  read(): string | undefined {
    const bytes = readIfPresent(this.#path);
    return bytes && new TextDecoder().decode(bytes);
  }

  /**
   * Puts a text in place of the one before, and resolves when it is on stable storage. One call at a time.
   *
   * @throws {StoreError} (rejects) of kind `writeFailed` or `outOfSpace` when that cannot be promised
   */
  async replace(text: string): Promise<void> {
    try {
      const bytes = new TextEncoder().encode(text);
      await this.#activity.during(this.#path, () => replaceFile(this.#path, bytes));
    } catch (error) {
      throw writeError(`Cannot replace "${this.#path}"`, error);
    }
  }
}

/**
 * Reads a file; returns undefined when there is none.
 *
 * @param makeDurable what is returned is on stable storage under this name: a process that was killed may have left
 *   either in memory only
 * @throws {StoreError} of kind `readFailed`
 */
export function readIfPresent(path: string, { makeDurable = false } = {}): Uint8Array | undefined {
  try {
    // A pipe would have to be waited for.
    if (!Deno.statSync(path).isFile) throw new Error("it is not a file; move it away");
    if (makeDurable) { for (const each of [path, dirname(path)]) syncNow(each); }
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new StoreError("readFailed", `Cannot read "${path}": ${errorMessage(error)}`, { cause: error });
  }
}

/**
 * Puts bytes in place of a file, whole or not at all, and resolves when they are on stable storage. When that fails,
 * nothing is left that takes space.
 */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  const newPath = `${path}.new`;
  const isNewFolder = await makeFolder(folder);
  try {
    await writeNewFile(newPath, bytes);
    await Deno.rename(newPath, path);
  } catch (error) {
    await Deno.remove(newPath).catch(() => {});
    throw error;
  }
  // A file that is safe under a name that is not, is lost; so is one in a folder of that sort.
  await syncFolder(folder);
  if (isNewFolder) await syncFolder(dirname(folder));
}

/** Makes a folder, unless there is one, and returns whether it did. */
async function makeFolder(path: string): Promise<boolean> {
  try {
    if ((await Deno.stat(path)).isDirectory) return false;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.mkdir(path, { recursive: true, mode: FOLDER_MODE });
  return true;
}

/** Writes bytes at an offset of an open file, and resolves when they are on stable storage. */
export async function writeSynced(file: Deno.FsFile, offset: number, bytes: Uint8Array): Promise<void> {
  await file.seek(offset, Deno.SeekMode.Start);
  for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
  await file.sync();
}

/** Returns the error of a write that failed. */
export function writeError(action: string, error: unknown): StoreError {
  const reason = errorMessage(error);
  const kind = OUT_OF_SPACE.test(reason) ? "outOfSpace" : "writeFailed";
  return new StoreError(kind, `${action}: ${reason}`, { cause: error });
}

async function writeNewFile(path: string, bytes: Uint8Array): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true, mode: FILE_MODE });
  await writeSynced(file, 0, bytes);
}

/** Puts a file or a folder on stable storage. */
function syncNow(path: string): void {
  using file = Deno.openSync(path, { read: true });
  file.syncSync();
}

async function syncFolder(path: string): Promise<void> {
  using folder = await Deno.open(path, { read: true });
  await folder.sync();
}
