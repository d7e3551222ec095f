/**
 * Locks of the files and devices that a server serves. They prevent two servers from serving one file, even with
 * different storage folders. They are advisory locks (flock): exclusive, or shared for read-only units. The kernel
 * releases them when all threads of the process have ended.
 *
 * A lock belongs to the handle that took it. The handles that read and write the same file need none, and the lock does
 * not restrict them.
 */
import { lockDevice } from "./device_lock.ts";
import { isFileAt } from "./file_lock.ts";
import { describeLockOwner, findLockOwner, findLockOwnerOf, type LockOwner } from "./lock_owner.ts";
import type { BackingExport } from "./worker_links.ts";
import { reasonOf } from "./provision_error.ts";
import { delay } from "../base/delay.ts";

/** Attempts before a lock counts as taken. Another process that only checks the lock also holds it briefly. */
const ATTEMPTS = 5;
const ATTEMPT_INTERVAL_MS = 20;

/** A lock of a file or device, and the paths of the conf that lead there. */
interface HeldLock {
  readonly paths: Set<string>;
  readonly release: () => Promise<void>;
  isExclusive: boolean;
}

interface FileLock extends HeldLock {
  readonly file: Deno.FsFile;
}

/**
 * A lock that another process has held at every attempt so far. A program finds out which process that is. It runs only
 * at the attempts 1, 2, 4, 8 and so on, and the fault is from the last of these.
 */
interface Conflict {
  readonly fault: string;
  readonly attempts: number;
}

/** The locks of this process. */
export class BackingLocks {
  /** By device and inode. */
  readonly #files = new Map<string, FileLock>();
  /** By path. */
  readonly #devices = new Map<string, HeldLock>();
  /** By path. */
  readonly #conflicts = new Map<string, Conflict>();
  readonly #warn: (message: string) => void;

  /** @param warn receives a warning for each file or device that the system cannot lock; it is served without a lock */
  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  /**
   * Takes the locks for a worker that is about to start, and releases all others. Devices are locked again, because a
   * name may belong to another device by now.
   *
   * @returns the faults, by path: these must not be served
   */
  async renew(backings: readonly BackingExport[]): Promise<ReadonlyMap<string, string>> {
    await this.retain(backings.filter(({ isDevice }) => !isDevice).map(({ path }) => path));
    return await this.extend(backings);
  }

  /**
   * Takes the locks that a running worker lacks, and keeps the others.
   *
   * @returns the faults, by path: these must not be served
   */
  async extend(backings: readonly BackingExport[]): Promise<ReadonlyMap<string, string>> {
    const faults = await Promise.all(backings.map(async (backing) => {
      const fault = await (backing.isDevice ? this.#lockDevice(backing) : this.#lockFile(backing));
      if (fault !== undefined) return [[backing.path, fault] as const];
      this.#conflicts.delete(backing.path);
      return [];
    }));
    return new Map(faults.flat());
  }

  /** Releases all locks except those of the given paths. */
  async retain(paths: Iterable<string>): Promise<void> {
    const wanted = new Set(paths);
    for (const path of this.#conflicts.keys()) if (!wanted.has(path)) this.#conflicts.delete(path);
    const released: HeldLock[] = [];
    for (const held of [this.#files, this.#devices]) {
      for (const [key, lock] of held) {
        for (const path of lock.paths) if (!wanted.has(path)) lock.paths.delete(path);
        if (lock.paths.size > 0) continue;
        held.delete(key);
        released.push(lock);
      }
    }
    await Promise.all(released.map((lock) => lock.release()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.retain([]);
  }

  async #lockFile({ path, readOnly }: BackingExport, attempt = 1): Promise<string | undefined> {
    let file: Deno.FsFile;
    try {
      // Opening a named pipe would block.
      if (!Deno.statSync(path).isFile) return `Cannot open "${path}": it is not a file`;
      file = Deno.openSync(path, { read: true, write: !readOnly });
    } catch (error) {
      return `Cannot open "${path}": ${reasonOf(error)}`;
    }
    const identity = file.statSync();
    const key = `${identity.dev}:${identity.ino}`;
    const held = this.#files.get(key);
    held?.paths.add(path);
    if (held !== undefined) {
      file.close();
      return held.isExclusive || readOnly ? undefined : await this.#makeExclusive(held, path);
    }
    const release = (): Promise<void> => Promise.resolve(file.close());
    // Entered before the wait below, which the same file must not start a second time.
    this.#files.set(key, { paths: new Set([path]), release, file, isExclusive: !readOnly });
    if (await this.#tryLock(file, path, !readOnly)) {
      if (isFileAt(file, path) || attempt === ATTEMPTS) return undefined;
      // It was replaced before it was locked.
      this.#files.delete(key);
      file.close();
      return await this.#lockFile({ path, readOnly, isDevice: false }, attempt + 1);
    }
    this.#files.delete(key);
    file.close();
    return this.#conflictOf(path, () => findLockOwner(identity));
  }

  /** Converts a shared lock. That releases it first (flock(2)), so a failure takes the shared lock again. */
  async #makeExclusive(held: FileLock, path: string): Promise<string | undefined> {
    if (await this.#tryLock(held.file, path, true)) {
      held.isExclusive = true;
      return undefined;
    }
    const fault = this.#conflictOf(path, () => findLockOwner(held.file.statSync()));
    await this.#tryLock(held.file, path, false);
    return fault;
  }

  /** Counts a failed attempt, and describes the conflict. */
  #conflictOf(path: string, findOwner: () => LockOwner | undefined): string {
    const known = this.#conflicts.get(path);
    const attempts = (known?.attempts ?? 0) + 1;
    const isPowerOfTwo = (attempts & (attempts - 1)) === 0;
    const fault = known === undefined || isPowerOfTwo ? describeConflict(path, findOwner()) : known.fault;
    this.#conflicts.set(path, { fault, attempts });
    return fault;
  }

  /** Takes a lock; returns false when another process holds it. Without locks in the system, warns and returns true. */
  async #tryLock(file: Deno.FsFile, path: string, isExclusive: boolean): Promise<boolean> {
    for (let attempt = 1;; attempt++) {
      try {
        if (file.tryLockSync(isExclusive)) return true;
      } catch (error) {
        this.#warnOfMissing(path, reasonOf(error));
        return true;
      }
      if (attempt === ATTEMPTS) return false;
      await delay(ATTEMPT_INTERVAL_MS);
    }
  }

  async #lockDevice({ path, readOnly }: BackingExport): Promise<string | undefined> {
    const held = this.#devices.get(path);
    if (held !== undefined && (held.isExclusive || readOnly)) return undefined;
    // The exclusive lock would conflict with the shared one of this process.
    await held?.release();
    this.#devices.delete(path);
    if (await this.#tryLockDevice(path, !readOnly)) return undefined;
    const fault = this.#conflictOf(path, () => findLockOwnerOf(path));
    if (held !== undefined) await this.#tryLockDevice(path, false);
    return fault;
  }

  /** Locks a device, with the results of `#tryLock`. */
  async #tryLockDevice(path: string, isExclusive: boolean): Promise<boolean> {
    const lock = await lockDevice(path, isExclusive);
    if (lock === "taken") return false;
    if ("fault" in lock) this.#warnOfMissing(path, lock.fault);
    else this.#devices.set(path, { paths: new Set([path]), release: () => lock.release(), isExclusive });
    return true;
  }

  #warnOfMissing(path: string, reason: string): void {
    this.#warn(`Cannot lock "${path}", so another server that uses it is not detected: ${reason}`);
  }
}

function describeConflict(path: string, owner: LockOwner | undefined): string {
  const holder = describeLockOwner(owner);
  return `Cannot serve "${path}": ${holder} has locked it, probably another server; stop it or set another path`;
}
