import { dirname } from "@std/path";
import { StoreError } from "./block_store.ts";

/** What is kept of initiators is nobody's business on this machine. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/**
 * A small text that outlives a loss of power: at any moment, and after one, the file holds the whole of the text before
 * or the whole of the one after.
 */
export class DurableFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * The text; undefined when none was ever kept.
   *
   * @throws {StoreError} of kind `readFailed`
   */
  read(): string | undefined {
    try {
      // A pipe would have to be waited for.
      if (!Deno.statSync(this.#path).isFile) throw new Error("it is not a file; move it away");
      return Deno.readTextFileSync(this.#path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw new StoreError("readFailed", `Cannot read "${this.#path}": ${reasonOf(error)}`, { cause: error });
    }
  }

  /**
   * Puts a text in place of the one before, and resolves when it is on stable storage. One call at a time.
   *
   * @throws {StoreError} (rejects) of kind `writeFailed` when that cannot be promised
   */
  async replace(text: string): Promise<void> {
    const folder = dirname(this.#path);
    const newPath = `${this.#path}.new`;
    try {
      await Deno.mkdir(folder, { recursive: true, mode: FOLDER_MODE });
      await writeSynced(newPath, new TextEncoder().encode(text));
      await Deno.rename(newPath, this.#path);
      // A file that is safe under a name that is not, is lost; so is one in a folder of that sort.
      await syncFolder(folder);
      await syncFolder(dirname(folder));
    } catch (error) {
      throw new StoreError("writeFailed", `Cannot replace "${this.#path}": ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true, mode: FILE_MODE });
  for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
  await file.sync();
}

async function syncFolder(path: string): Promise<void> {
  using folder = await Deno.open(path, { read: true });
  await folder.sync();
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
