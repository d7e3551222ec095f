import { join } from "@std/path";
import { ProvisionError, reasonOf } from "./provision_error.ts";
import { delay } from "../base/delay.ts";

/** The activities in a storage folder that only one process at a time may perform. */
export type LockName = "build" | "serve";

/** The process that holds a lock; undefined when it has not written its process number yet. */
export interface LockHolder {
  readonly holderPid: number | undefined;
}

/** Attempts before a lock counts as held. A process that only checks the holder also takes it briefly. */
const ATTEMPTS = 5;
const ATTEMPT_INTERVAL_MS = 20;

/**
 * The exclusive right of a process to one activity in a storage folder.
 *
 * It is an advisory lock (flock) on a file of the state folder. The kernel releases it when the process ends, even when
 * it is killed, so a lock is never left behind. The file is left behind, but has no meaning.
 *
 * The kernel releases the lock when the last thread has ended. A thread that is blocked in a write to a hanging disk
 * keeps it, even after `kill -9`, so no other process takes the lock before that write has ended. The lock does not
 * cover programs that the process has started (see `HelperGuard`).
 */
export class StorageLock {
  readonly #file: Deno.FsFile;

  /**
   * Takes the lock `name` in a state folder, or returns its holder.
   *
   * @throws {ProvisionError} (rejects) when the lock cannot be opened
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
   * Returns the holder of the lock `name` in a state folder; undefined when it is free.
   *
   * @throws {ProvisionError} when the lock cannot be opened
   */
  static holder(stateFolder: string, name: LockName): LockHolder | undefined {
    const path = lockPath(stateFolder, name);
    if (!exists(path)) return undefined;
    using file = openLock(path, { read: true });
    // A shared lock, so two checks at the same time do not take each other for the holder.
    return file.tryLockSync(false) ? undefined : { holderPid: readPid(path) };
  }

  private constructor(file: Deno.FsFile) {
    this.#file = file;
    try {
      file.truncateSync(0);
      file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
    } catch {
      // The number is only for messages, and the lock must work on a full disk.
    }
  }

  /** Releases the lock. */
  release(): void {
    this.#file.close();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** Returns the file of a lock in a state folder. */
export function lockPath(stateFolder: string, name: LockName): string {
  return join(stateFolder, `${name}.lock`);
}

/** Opens the file of a lock, and nothing else: the target of a link would be truncated, a named pipe would block. */
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
    // Opening it reports the error.
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
