import { dirname } from "@std/path";
import { errorMessage } from "../base/error_message.ts";
import { StoreError } from "./block_store.ts";
import { FileActivity } from "./file_activity.ts";
import { storeError } from "./os_error.ts";
import { makeFolder, replaceFile, syncPath, syncPathNow } from "./stable_storage.ts";

/** The mode of a folder that only this program enters. */
const PRIVATE_FOLDER_MODE = 0o700;

/**
 * A small text that outlives a loss of power: at any moment, and after one, the file holds all of the old text or all
 * of the new one.
 */
export class DurableFile {
  readonly #path: string;
  readonly #activity: FileActivity;

  /** @param activity counts what runs off the event loop */
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
   * Replaces the text, and resolves when the new one is on stable storage. One call at a time.
   *
   * @throws {StoreError} (rejects) of kind `writeFailed` or `outOfSpace`; the old text is kept then, or the new one
   */
  async replace(text: string): Promise<void> {
    try {
      await this.#activity.during(this.#path, () => replaceFileInFolder(this.#path, text));
    } catch (error) {
      throw storeError("writeFailed", `Cannot replace "${this.#path}"`, error);
    }
  }
}

/** Replaces a file as `replaceFile` does, in a folder that is made when it is missing. */
export async function replaceFileInFolder(path: string, content: string | Uint8Array): Promise<void> {
  const changed = await makeFolder(dirname(path), PRIVATE_FOLDER_MODE);
  await replaceFile(path, content);
  for (const folder of changed) await syncPath(folder);
}

/**
 * Reads a file; returns undefined when there is none.
 *
 * @param makeDurable puts the file and its name on stable storage first: a process that was killed may have left them
 *   in memory only
 * @throws {StoreError} of kind `readFailed`
 */
export function readIfPresent(path: string, { makeDurable = false } = {}): Uint8Array | undefined {
  try {
    // Opening a pipe would block.
    if (!Deno.statSync(path).isFile) throw new Error("it is not a file; move it away");
    if (makeDurable) { for (const each of [path, dirname(path)]) syncPathNow(each); }
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new StoreError("readFailed", `Cannot read "${path}": ${errorMessage(error)}`, { cause: error });
  }
}
