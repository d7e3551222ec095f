/**
 * Locks of the files and devices that a server serves, so that no other server has them at the same time, whatever
 * its storage folder. They are advisory locks (flock): exclusive, or shared where nothing is written. The kernel
 * takes them back when the process has ended with all its threads.
 *
 * A lock belongs to the handle that took it. The handles by which the same file is read and written carry none, and do
 * not mind it.
 */
import { lockDevice } from "./device_lock.ts";
import { describeLockOwner, findLockOwner, findLockOwnerOf, type LockOwner } from "./lock_owner.ts";
import type { BackingExport } from "./worker_links.ts";
import { reasonOf } from "./provision_error.ts";
import { delay } from "../base/delay.ts";

/** How often to try a lock before calling it taken: a look at whether a file is locked takes it for a moment. */
const ATTEMPTS = 5;
const ATTEMPT_INTERVAL_MS = 20;

/** Something that is locked, and the paths of the conf that lead to it. */
interface HeldLock {
  readonly paths: Set<string>;
  readonly release: () => Promise<void>;
  isExclusive: boolean;
}

interface FileLock extends HeldLock {
  readonly file: Deno.FsFile;
}

/** The locks that this process has. */
export class BackingLocks {
  /** By device and inode. */
  readonly #files = new Map<string, FileLock>();
  /** By path. */
  readonly #devices = new Map<string, HeldLock>();
  readonly #warn: (message: string) => void;

  /** @param warn is told what cannot be locked because the system has no locks for it: that is served without */
  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  /**
   * Takes the locks of a worker that is about to start, and gives back all others. A device is locked again, since
   * another one may have its name by now.
   *
   * @returns by their paths, why some must not be served
   */
  async renew(backings: readonly BackingExport[]): Promise<ReadonlyMap<string, string>> {
    await this.retain(backings.filter(({ isDevice }) => !isDevice).map(({ path }) => path));
    return await this.extend(backings);
  }

  /**
   * Takes the locks that a worker lacks which runs. Those that it has stay.
   *
   * @returns by their paths, why some must not be served
   */
  async extend(backings: readonly BackingExport[]): Promise<ReadonlyMap<string, string>> {
    const faults = await Promise.all(backings.map(async (backing) => {
      const fault = await (backing.isDevice ? this.#lockDevice(backing) : this.#lockFile(backing));
      return fault === undefined ? [] : [[backing.path, fault] as const];
    }));
    return new Map(faults.flat());
  }

  /** Gives back the locks to which none of these paths leads. */
  async retain(paths: Iterable<string>): Promise<void> {
    const wanted = new Set(paths);
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

  async #lockFile({ path, readOnly }: BackingExport): Promise<string | undefined> {
    let file: Deno.FsFile;
    try {
      // A pipe would have to be waited for.
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
    // What follows may take a moment, in which the same file must not be locked once more.
    this.#files.set(key, { paths: new Set([path]), release, file, isExclusive: !readOnly });
    if (await this.#tryLock(file, path, !readOnly)) return undefined;
    this.#files.delete(key);
    file.close();
    return describeConflict(path, findLockOwner(identity));
  }

  /** A conversion gives the shared lock back first (flock(2)), so it is taken again when there is no exclusive one. */
  async #makeExclusive(held: FileLock, path: string): Promise<string | undefined> {
    if (await this.#tryLock(held.file, path, true)) {
      held.isExclusive = true;
      return undefined;
    }
    const owner = findLockOwner(held.file.statSync());
    await this.#tryLock(held.file, path, false);
    return describeConflict(path, owner);
  }

  /** Whether a lock is taken, or cannot be taken by anybody. */
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
    // Our own shared lock would be in the way.
    await held?.release();
    this.#devices.delete(path);
    const isTaken = await this.#takeDevice(path, !readOnly);
    if (!isTaken) return undefined;
    const owner = findLockOwnerOf(path);
    if (held !== undefined) await this.#takeDevice(path, false);
    return describeConflict(path, owner);
  }

  /** Locks a device, unless it cannot be locked by anybody, and returns whether another process has it. */
  async #takeDevice(path: string, isExclusive: boolean): Promise<boolean> {
    const lock = await lockDevice(path, isExclusive);
    if (lock === "taken") return true;
    if ("fault" in lock) this.#warnOfMissing(path, lock.fault);
    else this.#devices.set(path, { paths: new Set([path]), release: () => lock.release(), isExclusive });
    return false;
  }

  #warnOfMissing(path: string, reason: string): void {
    this.#warn(`Cannot lock "${path}", so another server that has it is not noticed: ${reason}`);
  }
}

function describeConflict(path: string, owner: LockOwner | undefined): string {
  return `Cannot serve "${path}": ${
    describeLockOwner(owner)
  } has locked it, as a server does with what it serves; ` +
    "end that, or set another path";
}
