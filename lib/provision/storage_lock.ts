import { join } from "@std/path";
import { ProvisionError, reasonOf } from "./provision_error.ts";
import { delay } from "../base/delay.ts";

/** Who does what with a storage folder; each is done by one process at a time. */
export type LockName = "build" | "serve";

/** The process that holds a lock; undefined when it has not written down its number yet. */
export interface LockHolder {
  readonly holderPid: number | undefined;
}

/** How often to try a lock before calling it held: a look at the holder takes it for a moment. */
const ATTEMPTS = 5;
const ATTEMPT_INTERVAL_MS = 20;

/**
 * The right to do something with a storage folder, in which no other process can do the same at the same time.
 *
 * It is an advisory lock (flock) on a file of the state folder. The kernel takes it back when the process ends, in
 * whatever way, so a lock is never left behind; the file is, and means nothing.
 *
 * The kernel does so when the last thread of the process has left it. A thread that stands in a write to a disk that
 * hangs keeps the lock, even after `kill -9`: so no other process takes it before that write has ended. What programs
 * do that the process has started is another matter (`HelperGuard`).
 */
export class StorageLock {
  readonly #file: Deno.FsFile;

  /**
   * Takes the lock `name` in a state folder, or says who has it.
   *
   * @throws {ProvisionError} (rejects) when the folder does not let us
   */
  static async acquire(stateFolder: string, name: LockName): Promise<{ lock: StorageLock } | LockHolder> {
    const path = lockPath(stateFolder, name);
    const file = openLock(path, { read: true, write: true, create: true, mode: 0o600 });
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (file.tryLockSync(true)) return { lock: new StorageLock(file) };
      await delay(ATTEMPT_INTERVAL_MS);
    }
    file.close();
    return { holderPid: readPid(path) };
  }

  /**
   * Who holds the lock `name` in a state folder; undefined when nobody does.
   *
   * @throws {ProvisionError} when the folder does not let us look
   */
  static holder(stateFolder: string, name: LockName): LockHolder | undefined {
    const path = lockPath(stateFolder, name);
    if (!exists(path)) return undefined;
    using file = openLock(path, { read: true });
    // A shared lock, so that two who look at the same time do not see each other.
    return file.tryLockSync(false) ? undefined : { holderPid: readPid(path) };
  }

  private constructor(file: Deno.FsFile) {
    this.#file = file;
    try {
      file.truncateSync(0);
      file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
    } catch {
      // The number is there for messages; a full disk must not keep anybody from the lock.
    }
  }

  /** Gives the lock back. */
  release(): void {
    this.#file.close();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

function lockPath(stateFolder: string, name: LockName): string {
  return join(stateFolder, `${name}.lock`);
}

/** Opens the file of a lock itself: what it is a link to would be cut off, and a pipe would have to be waited for. */
function openLock(path: string, options: Deno.OpenOptions): Deno.FsFile {
  if (!isFileOrNothing(path)) {
    throw new ProvisionError(`Cannot open lock "${path}": it is not a file; remove it`);
  }
  try {
    return Deno.openSync(path, options);
  } catch (error) {
    throw new ProvisionError(`Cannot open lock "${path}": ${reasonOf(error)}`, { cause: error });
  }
}

function isFileOrNothing(path: string): boolean {
  try {
    return Deno.lstatSync(path).isFile;
  } catch {
    // What cannot be looked at cannot be opened either.
    return true;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory);
  }
}

function readPid(path: string): number | undefined {
  const pid = Number.parseInt(Deno.readTextFileSync(path), 10);
  return Number.isNaN(pid) ? undefined : pid;
}
