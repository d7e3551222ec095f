import { dirname, join } from "@std/path";
import { PRIVATE_FILE_MODE, syncPath } from "../../store/stable_storage.ts";
import { openToLock, takeFileLock } from "../file_lock.ts";
import { entriesOf } from "../folders.ts";
import { ProvisionError, reasonOf } from "../provision_error.ts";

/** The names of copies that are not complete. */
const NAME = /^\.iscsi-copy-[0-9a-f]{16}$/;

/** Returns whether a path is that of a copy that is not complete. */
export function isTemporary(path: string): boolean {
  return NAME.test(path.slice(path.lastIndexOf("/") + 1));
}

/**
 * A copy under a temporary name, in the folder of its destination. It is locked as long as its command runs, so the
 * next command finds those of commands that were killed.
 */
export class TemporaryFile {
  readonly path: string;
  readonly file: Deno.FsFile;
  readonly #destination: string;
  #isPlaced = false;

  /**
   * Creates an empty file for a copy, and removes those of commands that were killed.
   *
   * @throws {ProvisionError} when it cannot be created
   */
  static create(destination: string, sizeBytes: number): TemporaryFile {
    removeFormer(dirname(destination));
    try {
      for (;;) {
        const path = join(dirname(destination), `.iscsi-copy-${randomName()}`);
        const file = Deno.openSync(path, {
          read: true,
          write: true,
          createNew: true,
          mode: PRIVATE_FILE_MODE,
        });
        // Between the two calls, another command may take it for one that was left behind.
        if (takeFileLock(file) && exists(path)) {
          file.truncateSync(sizeBytes);
          return new TemporaryFile(path, file, destination);
        }
        file.close();
      }
    } catch (error) {
      throw new ProvisionError(`Cannot create a file in "${dirname(destination)}": ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }

  private constructor(path: string, file: Deno.FsFile, destination: string) {
    this.path = path;
    this.file = file;
    this.#destination = destination;
  }

  /**
   * Puts the file on stable storage and gives it its final name. A file of that name is replaced only if `replaces`.
   *
   * @throws {ProvisionError} (rejects) when that fails; the destination is unchanged then
   */
  async place(replaces: boolean): Promise<void> {
    try {
      await this.file.sync();
      if (replaces) Deno.renameSync(this.path, this.#destination);
      else this.#link();
      this.#isPlaced = true;
      await syncPath(dirname(this.#destination));
    } catch (error) {
      throw new ProvisionError(`Cannot create "${this.#destination}": ${reasonOf(error)}`, { cause: error });
    }
  }

  /** Gives the file its final name. Unlike a rename, a link replaces nothing. */
  #link(): void {
    try {
      Deno.linkSync(this.path, this.#destination);
    } catch (error) {
      if (exists(this.#destination) || error instanceof Deno.errors.AlreadyExists) throw error;
      // FAT has no links.
      return Deno.renameSync(this.path, this.#destination);
    }
    Deno.removeSync(this.path);
  }

  /** Removes the file unless it has its final name. */
  [Symbol.dispose](): void {
    if (!this.#isPlaced) removeQuietly(this.path);
    this.file.close();
  }
}

/** Removes the copies of commands that were killed. */
export function removeFormer(folder: string): void {
  for (const name of entriesOf(folder).filter((name) => NAME.test(name))) {
    removeIfLeft(join(folder, name));
  }
}

/** Removes a copy that is not complete, unless its command still runs. */
export function removeIfLeft(path: string): void {
  if (!isTemporary(path)) return;
  try {
    using file = openToLock(path);
    if (takeFileLock(file)) Deno.removeSync(path);
  } catch {
    // It has been removed, or cannot be: the next command tries again.
  }
}

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path).isFile;
  } catch {
    return false;
  }
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // The server may have removed it.
  }
}

function randomName(): string {
  return crypto.getRandomValues(new BigUint64Array(1))[0]!.toString(16).padStart(16, "0");
}
