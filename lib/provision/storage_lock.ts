import { dirname, join } from "@std/path";
import { delay } from "../base/delay.ts";
import { errnoOf } from "../base/error_message.ts";
import { hostName } from "./host_name.ts";
import { lookUpLockOwner } from "./lock_owner.ts";
import {
  describeHolderProcess,
  formatLockRecord,
  type LockHolder,
  type LockRecord,
  parseLockRecord,
} from "./lock_record.ts";
import type { Reach } from "./lock_reach.ts";
import { ProvisionError, reasonOf } from "./provision_error.ts";
import { writeSynced } from "../store/stable_storage.ts";

/** The activities in a storage folder that only one process at a time may perform. */
export type LockName = "build" | "serve";

/** Attempts before a lock counts as held. A process that only checks the holder also takes it briefly. */
const ATTEMPTS = 5;
const ATTEMPT_INTERVAL_MS = 20;

/**
 * The errors of a file system that has taken a lock away: EIO (NFS, GFS2), ESTALE (the file was removed on another
 * machine), and ESHUTDOWN (a client that Ceph has shut out).
 */
const LOSSES: readonly (number | undefined)[] = [5, 116, 108];

/**
 * The exclusive right of a process to one activity in a storage folder.
 *
 * It is an advisory lock (flock) on a file of the state folder. The kernel releases it when the process ends, even when
 * it is killed, so a lock is never left behind. The file is left behind, but has no meaning.
 *
 * The kernel releases the lock when the last thread has ended. A thread that is blocked in a write to a hanging disk
 * keeps it, even after `kill -9`, so no other process takes the lock before that write has ended. The lock does not
 * cover programs that the process has started (see `HelperGuard`).
 *
 * A lock of this machine cannot get lost, except with its file, which is then locked again. One that machines share
 * can: a network file system takes it from a machine that was silent for a while (see `findLoss`).
 */
export class StorageLock {
  readonly #path: string;
  readonly #name: LockName;
  #file: Deno.FsFile;
  /** The text that was written into the file; undefined when there was no space for it. */
  #text: string | undefined;
  #isReleased = false;

  /**
   * Takes the lock `name` in a state folder, or returns its holder.
   *
   * @throws {ProvisionError} (rejects) when the lock cannot be opened, or the file system has no locks
   */
  static async acquire(stateFolder: string, name: LockName): Promise<{ lock: StorageLock } | LockHolder> {
    const path = lockPath(stateFolder, name);
    for (let attempt = 1;; attempt++) {
      const file = openLock(path, { read: true, write: true, create: true, mode: 0o600 });
      let isTaken = false;
      try {
        // The file may have been removed before it was locked; then another process would lock another file.
        isTaken = tryLock(file, path, true) && areSame(file.statSync(), statOr(path));
        if (isTaken) return { lock: new StorageLock(path, name, file) };
        if (attempt === ATTEMPTS) return holderOf(file, path);
      } finally {
        if (!isTaken) file.close();
      }
      await delay(ATTEMPT_INTERVAL_MS);
    }
  }

  /**
   * Returns the holder of the lock `name` in a state folder; undefined when it is free.
   *
   * @throws {ProvisionError} when the lock cannot be opened, or the file system has no locks
   */
  static holder(stateFolder: string, name: LockName): LockHolder | undefined {
    const path = lockPath(stateFolder, name);
    if (!exists(path)) return undefined;
    using file = openLock(path, { read: true });
    // A shared lock, so two checks at the same time do not take each other for the holder.
    return tryLock(file, path, false) ? undefined : holderOf(file, path);
  }

  private constructor(path: string, name: LockName, file: Deno.FsFile) {
    this.#path = path;
    this.#name = name;
    this.#file = file;
    this.#text = writeRecord(file);
  }

  /**
   * Returns the reason why this process does not hold the lock any longer; undefined while it does.
   *
   * - The lock of this machine belongs to the file, whatever its text and whatever its disk reports. Where the file was
   *   removed or replaced, the new one is locked, and the lock is lost only to a process that has locked that before.
   * - A file system whose locks machines share reports a loss to a write through the handle that took the lock.
   * - Elsewhere, the text may show another holder. Such file systems may number their files again.
   */
  async findLoss(reach: Reach): Promise<string | undefined> {
    try {
      if (reach === "machine") return await this.#isInPlace() ? undefined : await this.#takeAgain();
      if (reach === "machines" && !await this.#isInPlace()) return "its file was removed or replaced";
      if (this.#text === undefined) return undefined;
      const text = await Deno.readTextFile(this.#path);
      if (text !== this.#text) return describeTaker(parseLockRecord(text));
      if (reach === "machines") await writeSynced(this.#file, 0, new TextEncoder().encode(text));
    } catch (error) {
      if (reach !== "machine" && error instanceof Deno.errors.NotFound) return "its file was removed";
      if (reach === "machines" && LOSSES.includes(errnoOf(error))) {
        return `the file system has taken it away (${reasonOf(error)})`;
      }
      // Another error, such as a full disk, says nothing about the lock. In a folder that is gone there is no other.
    }
    return undefined;
  }

  /** Returns whether the locked file has its name. */
  async #isInPlace(): Promise<boolean> {
    const held = await this.#file.stat();
    try {
      return areSame(held, await Deno.stat(this.#path));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }

  /**
   * Locks the file that has the name by now; returns the reason why that is impossible, or too late: another server may
   * have changed the state of this one, and ended.
   */
  async #takeAgain(): Promise<string | undefined> {
    const found = readRecord(this.#path);
    const own = this.#text === undefined ? undefined : parseLockRecord(this.#text);
    if (isLater(found, own)) return describeTaker(found);
    const result = await StorageLock.acquire(dirname(this.#path), this.#name);
    if (!("lock" in result)) {
      return `its file was replaced, and ${describeHolderProcess(result)} has locked the new one`;
    }
    if (this.#isReleased) result.lock.release();
    else {
      this.#file.close();
      this.#file = result.lock.#file;
      this.#text = result.lock.#text;
    }
    return undefined;
  }

  /** Releases the lock. */
  release(): void {
    this.#isReleased = true;
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

/** Takes a lock; returns false when another process holds it. */
function tryLock(file: Deno.FsFile, path: string, isExclusive: boolean): boolean {
  try {
    return file.tryLockSync(isExclusive);
  } catch (error) {
    throw new ProvisionError(
      `Cannot lock "${path}": ${reasonOf(error)}; put the storage folder on a file system with locks`,
      { cause: error },
    );
  }
}

/**
 * Writes the record of this process; returns its text, or undefined when it could not be written. It is only for
 * messages, and the lock must work on a full disk. It is put on the disk, where other machines see it.
 */
function writeRecord(file: Deno.FsFile): string | undefined {
  const text = formatLockRecord({ pid: Deno.pid, host: hostName(), since: new Date().toISOString() });
  try {
    file.truncateSync(0);
    file.writeSync(new TextEncoder().encode(text));
    file.syncDataSync();
    return text;
  } catch {
    return undefined;
  }
}

/**
 * Returns the holder of a lock that is held. A process number of another host means nothing on this one, and that of
 * another PID namespace neither: there, the kernel's list of locks has the number that is valid here.
 */
function holderOf(file: Deno.FsFile, path: string): LockHolder {
  const record = readRecord(path);
  const host = record?.host;
  if (host !== undefined && host !== hostName()) return { holderPid: record?.pid, holderHost: host };
  const owner = lookUpLockOwner(file.statSync());
  if (owner === "hidden") return { holderPid: undefined };
  return { holderPid: owner?.pid ?? record?.pid };
}

/** Reads the record in a lock's file, which may have been removed, or lie on a bad block. */
function readRecord(path: string): LockRecord | undefined {
  try {
    return parseLockRecord(Deno.readTextFileSync(path));
  } catch {
    return undefined;
  }
}

/** Returns whether a lock was taken after another one, as far as their records say. */
function isLater(lock: LockRecord | undefined, other: LockRecord | undefined): boolean {
  return lock?.since !== undefined && other?.since !== undefined && lock.since > other.since;
}

/** Describes the process that has taken a lost lock, by the record in its file. */
function describeTaker(record: LockRecord | undefined): string {
  if (record === undefined) return "its file was changed";
  const { pid, host = hostName(), since } = record;
  const holder = { holderPid: pid, ...(host === undefined ? {} : { holderHost: host }) };
  return `${describeHolderProcess(holder)} has taken it${since === undefined ? "" : ` at ${since}`}`;
}

function areSame(held: Deno.FileInfo, found: Deno.FileInfo | undefined): boolean {
  return found !== undefined && held.dev === found.dev && held.ino === found.ino;
}

function statOr(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
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
