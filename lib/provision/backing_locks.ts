/**
 * Locks of the files and devices that a server serves. They prevent two servers from serving one file, even with
 * different storage folders. They are advisory locks (flock): exclusive, or shared for read-only units. The kernel
 * releases them when all threads of the process have ended.
 *
 * A device also takes shared locks of all that it lies on, and if it is only read, of all that lies on it. So two
 * servers conflict when one writes a disk, the file of a loop device or a partition that the other serves as part of
 * something else.
 *
 * A lock belongs to the handle that took it. The handles that read and write the same file need none, and the lock does
 * not restrict them.
 */
import { lockDevice } from "./device_lock.ts";
import { isFileAt } from "./file_lock.ts";
import { describeLockOwner, findLockOwner, findLockOwnerOf, type LockOwner } from "./lock_owner.ts";
import type { Layer } from "./device_storage.ts";
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

interface DeviceLock extends HeldLock {
  /** The number of a device of the conf; undefined for one that shares blocks with it. */
  readonly number: string | undefined;
}

/** A device to lock. */
interface LockedDevice {
  readonly path: string;
  readonly readOnly: boolean;
  readonly number?: string;
  /** The path of the conf for which it is locked. */
  readonly for: string;
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
  readonly #devices = new Map<string, DeviceLock>();
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
    await this.retain(backings.filter(({ device }) => device === undefined).map(({ path }) => path));
    return await this.extend(backings);
  }

  /**
   * Takes the locks that a running worker lacks, and keeps the others.
   *
   * @returns the faults, by path: these must not be served
   */
  async extend(backings: readonly BackingExport[]): Promise<ReadonlyMap<string, string>> {
    const isDevice = ({ device }: BackingExport): boolean => device !== undefined;
    const lock = async (backing: BackingExport): Promise<(readonly [string, string])[]> => {
      const fault = await this.#lock(backing);
      if (fault !== undefined) return [[backing.path, fault]];
      this.#conflicts.delete(backing.path);
      return [];
    };
    const faults = await Promise.all(backings.filter((backing) => !isDevice(backing)).map(lock));
    // One after another, because they may lie on the same device.
    for (const backing of backings.filter(isDevice)) faults.push(await lock(backing));
    return new Map(faults.flat());
  }

  /** Releases all locks except those of the given paths. */
  async retain(paths: Iterable<string>): Promise<void> {
    const wanted = new Set(paths);
    for (const path of this.#conflicts.keys()) if (!wanted.has(path)) this.#conflicts.delete(path);
    await this.#releaseUnless((path) => wanted.has(path));
  }

  /** Releases the locks of one path. */
  async drop(path: string): Promise<void> {
    await this.#releaseUnless((other) => other !== path);
  }

  async #releaseUnless(isWanted: (path: string) => boolean): Promise<void> {
    const released: HeldLock[] = [];
    for (const held of [this.#files, this.#devices]) {
      for (const [key, lock] of held) {
        for (const path of lock.paths) if (!isWanted(path)) lock.paths.delete(path);
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

  async #lock({ path, readOnly, device }: BackingExport): Promise<string | undefined> {
    if (device === undefined) return await this.#lockFile({ path, readOnly });
    const { number, layers } = device;
    const wasLocked = this.#devices.has(path);
    const fault = await this.#lockDevice({ path, readOnly, number, for: path }) ??
      await this.#lockLayers(path, layers);
    // Another server must be able to take a device that this one does not serve.
    if (fault !== undefined && !wasLocked) await this.drop(path);
    return fault;
  }

  /** Shares all that has blocks in common with the device at a path. */
  async #lockLayers(path: string, layers: readonly Layer[]): Promise<string | undefined> {
    for (const { path: layer, isDevice } of layers) {
      const fault = await (isDevice
        ? this.#lockDevice({ path: layer, readOnly: true, for: path })
        : this.#lockLayerFile(layer, path));
      if (fault !== undefined) {
        return fault;
      }
    }
    return undefined;
  }

  /** Shares the file of a loop device. A file that this process may not read is not locked. */
  async #lockLayerFile(layer: string, path: string): Promise<string | undefined> {
    try {
      Deno.openSync(layer, { read: true }).close();
    } catch {
      return undefined;
    }
    return await this.#lockFile({ path: layer, readOnly: true }, path);
  }

  /** @param user the path of the conf for which the file is locked */
  async #lockFile(
    { path, readOnly }: Pick<BackingExport, "path" | "readOnly">,
    user = path,
    attempt = 1,
  ): Promise<string | undefined> {
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
    held?.paths.add(user);
    if (held !== undefined) {
      file.close();
      return held.isExclusive || readOnly ? undefined : await this.#makeExclusive(held, path);
    }
    const release = (): Promise<void> => Promise.resolve(file.close());
    // Entered before the wait below, which the same file must not start a second time.
    this.#files.set(key, { paths: new Set([user]), release, file, isExclusive: !readOnly });
    const isLocked = await this.#tryLock(file, path, !readOnly);
    if (isLocked && (isFileAt(file, path) || attempt === ATTEMPTS)) return undefined;
    this.#files.delete(key);
    file.close();
    // It was replaced before it was locked.
    if (isLocked) return await this.#lockFile({ path, readOnly }, user, attempt + 1);
    return this.#conflictOf(path, () => findLockOwner(identity), user);
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
  #conflictOf(path: string, findOwner: () => LockOwner | undefined, user = path): string {
    const known = this.#conflicts.get(user);
    const attempts = (known?.attempts ?? 0) + 1;
    const isPowerOfTwo = (attempts & (attempts - 1)) === 0;
    const fault = known === undefined || isPowerOfTwo
      ? describeConflict(path, findOwner(), user)
      : known.fault;
    this.#conflicts.set(user, { fault, attempts });
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

  async #lockDevice(device: LockedDevice): Promise<string | undefined> {
    const { path, readOnly, number } = device;
    const held = this.#devices.get(path);
    const isSame = number === undefined || held?.number === undefined || held.number === number;
    if (held !== undefined && isSame && (held.isExclusive || readOnly)) {
      held.paths.add(device.for);
      return undefined;
    }
    // The exclusive lock would conflict with the shared one of this process.
    await held?.release();
    this.#devices.delete(path);
    if (await this.#tryLockDevice(device)) return undefined;
    const fault = this.#conflictOf(path, () => findLockOwnerOf(path), device.for);
    if (held !== undefined && isSame) await this.#tryLockDevice({ ...device, readOnly: true });
    return fault;
  }

  /** Locks a device, with the results of `#tryLock`. */
  async #tryLockDevice(device: LockedDevice): Promise<boolean> {
    const { path, readOnly, number } = device;
    const lock = await lockDevice(path, !readOnly);
    if (lock === "taken") return false;
    if ("fault" in lock) {
      // A container or unit may have the device of the conf, and none that it lies on.
      if (path === device.for) this.#warnOfMissing(path, lock.fault);
    } else {
      const paths = new Set([device.for]);
      const release = (): Promise<void> => lock.release();
      this.#devices.set(path, { paths, release, isExclusive: !readOnly, number });
    }
    return true;
  }

  #warnOfMissing(path: string, reason: string): void {
    this.#warn(`Cannot lock "${path}", so another server that uses it is not detected: ${reason}`);
  }
}

function describeConflict(path: string, owner: LockOwner | undefined, user: string): string {
  const holder = describeLockOwner(owner);
  const what = path === user ? "it" : `"${path}", which has blocks in common with it`;
  return `Cannot serve "${user}": ${holder} has locked ${what}, probably another server; stop it or set another path`;
}
