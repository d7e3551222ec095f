/**
 * Programs that change backing files, and the locks by which the next server waits for them.
 *
 * A program outlives a server that was killed. So each one runs under a shared lock (flock) of a file in a folder of
 * its own run of the server. `flock --no-fork` becomes the program, and the kernel holds the lock until the program
 * ends. The next server takes the lock exclusively, keeps it, and removes the folder. From then on, no program of an
 * earlier run is running, and none can start: a late `flock` finds no folder, or a taken lock.
 *
 * `build` does not wait. A late program only zeroes a range that an initiator has unmapped, within the size of a served
 * file; it never changes the size or replaces the file. A build reads only sizes and identities, and only creates or
 * grows files.
 */
import { dirname, join } from "@std/path";
import { findLockOwner } from "./lock_owner.ts";
import { entriesOf, makeFolder } from "./folders.ts";
import { delay } from "../base/delay.ts";
import { errnoOf } from "../base/error_message.ts";
import { ProvisionError, reasonOf } from "./provision_error.ts";
import { FLOCK_CONFLICT_CODE, type Helper, type HelperResult, runHelper, startHelper } from "./run_helper.ts";
import { helpersFolderOf } from "./state_folder.ts";

const LOCK_NAME = "lock";
const LOCK_MODE = 0o600;

/** The most bytes of a file name (NAME_MAX). */
const NAME_LENGTH_MAX = 255;

/** Milliseconds between two attempts to take a lock: the minimum and the maximum. */
const ATTEMPT_MS_MIN = 5;
const ATTEMPT_MS_MAX = 100;

/** Milliseconds of waiting until the server reports it. */
const REPORT_AFTER_MS = 1_000;

/** The end of the name of a folder whose run has ended. */
const ENDED = ".ended";

/** EBUSY and ENOTEMPTY: an entry of the folder is in use. */
const IN_USE: readonly number[] = [16, 39];

/** The programs of one run of the server. */
export class HelperGuard {
  /** The folder of this run. The target worker has no right to it, and the next server removes it. */
  readonly folder: string;
  readonly #lock: string;
  /** The locks of earlier runs. They stay locked, so a late program cannot take them. */
  readonly #oldLocks: readonly Deno.FsFile[];
  /** The reason why no program can run, such as a file system without free inodes. The server runs without them. */
  readonly #fault: ProvisionError | undefined;
  #lastName = 0;

  /**
   * Waits until all programs of earlier servers have ended, without a limit, and starts a run. The caller must hold the
   * storage folder's lock.
   *
   * @param onWait receives a message when the wait takes long
   * @throws {ProvisionError} (rejects) when the folders of earlier runs cannot be removed
   */
  static async open(storage: string, onWait: (message: string) => void): Promise<HelperGuard> {
    const folder = helpersFolderOf(storage);
    const locks: Deno.FsFile[] = [];
    try {
      for (const run of entriesOf(folder)) await endRun(join(folder, run), locks, onWait);
      return new HelperGuard(join(folder, crypto.randomUUID()), locks);
    } catch (error) {
      for (const lock of locks) lock.close();
      throw error;
    }
  }

  private constructor(folder: string, oldLocks: readonly Deno.FsFile[]) {
    this.folder = folder;
    this.#lock = join(folder, LOCK_NAME);
    this.#oldLocks = oldLocks;
    // Made now, because the file system may be full when a program is needed to free space.
    this.#fault = faultOf(() => {
      makeFolder(folder);
      makeLock(this.#lock);
    });
  }

  /**
   * Returns the path of a new link to a file, for a program, in the folder of this run. The name of the link contains
   * the path of the file, for the message of a server that waits for the program. The link may be there before and
   * after the program changes the file.
   */
  linkTo(path: string): string {
    const number = String(++this.#lastName);
    const name = `${number}${encodeURIComponent(path)}`;
    return join(this.folder, name.length > NAME_LENGTH_MAX ? number : name);
  }

  /**
   * Starts a shell for programs that change backing files. It runs until its standard input ends. The programs inherit
   * the lock, so it is held until the shell and every program have ended.
   *
   * @throws {ProvisionError} when it cannot be started
   */
  startShell(script: string, args: readonly string[]): Deno.ChildProcess {
    return startHelper("flock", this.#guarded("sh", ["-c", script, "sh", ...args]));
  }

  /**
   * Runs a program that changes a backing file or device, and waits for it.
   *
   * @throws {ProvisionError} when it cannot be run
   */
  runNow(program: Helper, args: readonly string[]): HelperResult {
    return runHelper("flock", this.#guarded(program, args));
  }

  /** Removes the folder of this run. If a program is still running, leaves the folder to the next server. */
  [Symbol.dispose](): void {
    const own: Deno.FsFile[] = [];
    if (locksIn(this.folder).every((path) => tryLock(path, own))) removeRun(this.folder);
    for (const lock of [...own, ...this.#oldLocks]) lock.close();
  }

  #guarded(program: Helper | "sh", args: readonly string[]): readonly string[] {
    if (this.#fault !== undefined) throw this.#fault;
    const options = [
      "--shared",
      "--nonblock",
      "--no-fork",
      "--conflict-exit-code",
      String(FLOCK_CONFLICT_CODE),
    ];
    return [...options, this.#lock, program, ...args];
  }
}

function faultOf(act: () => void): ProvisionError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof ProvisionError) return error;
    throw error;
  }
}

function makeLock(path: string): void {
  try {
    Deno.openSync(path, { write: true, createNew: true, mode: LOCK_MODE }).close();
  } catch (error) {
    throw new ProvisionError(`Cannot create "${path}": ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Waits until all programs of a run have ended, and prevents others from starting: a late `flock` finds the lock taken,
 * or no folder of that name. The folder is removed under another name, because NFS keeps a lock that is removed while
 * it is open, and its folder, until it is closed.
 */
async function endRun(run: string, locks: Deno.FsFile[], onWait: (message: string) => void): Promise<void> {
  for (const path of locksIn(run)) await waitForLock(path, locks, onWait);
  removeRun(run.endsWith(ENDED) ? run : renameRun(run));
}

/** Returns the paths of the locks of a run: one, or none when it has been removed. */
function locksIn(run: string): string[] {
  return entriesOf(run).filter((name) => name === LOCK_NAME).map((name) => join(run, name));
}

/** Takes a lock exclusively, and adds it to `locks`. */
async function waitForLock(
  path: string,
  locks: Deno.FsFile[],
  onWait: (message: string) => void,
): Promise<void> {
  const startMs = performance.now();
  let isReported = false;
  for (let pauseMs = ATTEMPT_MS_MIN; !tryLock(path, locks);) {
    if (!isReported && performance.now() - startMs > REPORT_AFTER_MS) {
      onWait(describeWait(path));
      isReported = true;
    }
    await delay(pauseMs);
    pauseMs = Math.min(2 * pauseMs, ATTEMPT_MS_MAX);
  }
}

/** Takes a lock exclusively and adds it to `locks`; returns false when it is taken. */
function tryLock(path: string, locks: Deno.FsFile[]): boolean {
  let lock: Deno.FsFile;
  try {
    lock = Deno.openSync(path, { read: true, write: true });
  } catch (error) {
    throw new ProvisionError(`Cannot open "${path}": ${reasonOf(error)}`, { cause: error });
  }
  if (lock.tryLockSync(true)) {
    locks.push(lock);
    return true;
  }
  lock.close();
  return false;
}

function describeWait(lock: string): string {
  const owner = findLockOwner(Deno.statSync(lock));
  const program = owner === undefined ? "a program" : `"${owner.command}" (process ${owner.pid})`;
  const paths = new Set(entriesOf(dirname(lock)).flatMap(fileNamedBy));
  const files = [...paths].map((path) => `"${path}"`);
  // Not all files that have a link are being changed.
  const subject = files.length > 1 ? `any of ${files.join(", ")}` : files[0] ?? "a disk";
  return `Waiting for ${program} that an earlier server started: it may still change ${subject}; ` +
    `serving starts when it has ended`;
}

/** Returns the path of the file that the name of a link contains; none for other names. */
function fileNamedBy(link: string): string[] {
  const encoded = link.replace(/^\d+/, "");
  return encoded === "" || link === LOCK_NAME ? [] : [decodeURIComponent(encoded)];
}

/** Renames the folder of a run that has ended; returns the new path. */
function renameRun(run: string): string {
  const ended = `${run}${ENDED}`;
  try {
    Deno.renameSync(run, ended);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      throw new ProvisionError(`Cannot rename folder "${run}": ${reasonOf(error)}`, { cause: error });
    }
  }
  return ended;
}

/** Removes the folder of a run that has ended. What is in use is left to the next server. */
function removeRun(run: string): void {
  try {
    Deno.removeSync(run, { recursive: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || IN_USE.includes(errnoOf(error) ?? 0)) return;
    throw new ProvisionError(`Cannot remove folder "${run}": ${reasonOf(error)}`, { cause: error });
  }
}
