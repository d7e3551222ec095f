import { isAbsolute, join } from "@std/path";
import { readBlockDevice } from "./block_device.ts";
import type { HelperGuard } from "./helper_guard.ts";
import { entriesOf, makeFolder, removeFolder } from "./passing_folder.ts";
import { ProvisionError, reasonOf } from "./provision_error.ts";
import { linksFolderOf, stateFolderOf, workerLinksOf } from "./state_folder.ts";
import { errnoOf, errorMessage } from "../base/error_message.ts";

/** A block device that is to be served. */
export interface DeviceExport {
  /** As in the conf. */
  readonly path: string;
  readonly readOnly: boolean;
}

/** A backing file or block device that is to be served. */
export interface BackingExport extends DeviceExport {
  readonly isDevice: boolean;
}

/** The names of backings, and why some have none. */
export interface LinkedBackings {
  /** The links' paths by those of the conf. */
  readonly links: ReadonlyMap<string, string>;
  /** By the paths of the conf. */
  readonly faults: ReadonlyMap<string, string>;
}

/** What to do when the kernel refuses to open a node, by errno. */
const OPEN_REMEDIES: Readonly<Record<number, (storage: string) => string>> = {
  1: () => "; allow the device to this container or unit",
  13: (storage) => `; mount the file system of "${stateFolderOf(storage)}" without "nodev"`,
};

/**
 * The names by which the target worker opens what it serves: symbolic links to backing files, and nodes of block
 * devices.
 *
 * A worker's rights are fixed when it starts, and Deno compares each open with every right. So the worker has a right
 * to two folders instead of one to each file: it may read what is linked in the one, and write as well what is linked
 * in the other. It cannot make links itself, and has no right to the files by their own names: it can neither move
 * nor remove one. What is served changes by links that are added and removed.
 *
 * Links stay when the server ends: to make a thousand takes longer than to look at them.
 *
 * Deno opens nothing in /dev without all rights, and a node elsewhere like any file. A node names its device by
 * number, and numbers are given again when a device goes and comes. A server that has a device open keeps its number;
 * nodes from before mean nothing and are removed.
 */
export class WorkerLinks {
  readonly #storage: string;
  readonly #guard: Pick<HelperGuard, "runNow">;
  readonly #readOnly: LinkFolder;
  readonly #readWrite: LinkFolder;

  constructor(storage: string, guard: Pick<HelperGuard, "runNow">) {
    this.#storage = storage;
    this.#guard = guard;
    this.#readOnly = new LinkFolder(workerLinksOf(storage, { readOnly: true }));
    this.#readWrite = new LinkFolder(workerLinksOf(storage, { readOnly: false }));
  }

  /**
   * Makes the links for a worker that is about to start, and removes all others, also those of an earlier process.
   *
   * @throws {ProvisionError} when the state folder cannot be written
   */
  renew(backings: readonly BackingExport[]): LinkedBackings {
    const links = linksFolderOf(this.#storage);
    const folders = [this.#readOnly, this.#readWrite];
    for (const name of entriesOf(links)) {
      const path = join(links, name);
      if (!folders.some((folder) => folder.path === path)) removeFolder(path);
    }
    for (const folder of folders) folder.adopt();
    const made = this.extend(backings);
    this.retain(made.links.values());
    return made;
  }

  /** Makes the links that a worker lacks which runs, and returns them with those that it has. */
  extend(backings: readonly BackingExport[]): LinkedBackings {
    const links = new Map<string, string>();
    const faults = new Map<string, string>();
    for (const backing of backings) {
      try {
        links.set(backing.path, backing.isDevice ? this.#nodeOf(backing) : this.#linkTo(backing));
      } catch (error) {
        if (!(error instanceof ProvisionError)) throw error;
        faults.set(backing.path, error.message);
      }
    }
    return { links, faults };
  }

  /**
   * Removes all links but these.
   *
   * @throws {ProvisionError} when the system refuses
   */
  retain(links: Iterable<string>): void {
    const wanted = new Set(links);
    for (const folder of [this.#readOnly, this.#readWrite]) folder.removeUnless((path) => wanted.has(path));
  }

  /**
   * Removes the nodes of devices: no worker runs.
   *
   * @throws {ProvisionError} when the system refuses
   */
  removeNodes(): void {
    for (const folder of [this.#readOnly, this.#readWrite]) {
      folder.removeUnless((_path, what) => isAbsolute(what));
    }
  }

  #folderFor({ readOnly }: BackingExport): LinkFolder {
    return readOnly ? this.#readOnly : this.#readWrite;
  }

  #linkTo(backing: BackingExport): string {
    const { path } = backing;
    const file = realPath(path);
    return this.#folderFor(backing).entryFor(file, (link) => {
      try {
        makeLink(file, link);
      } catch (error) {
        throw cannotLink(path, error);
      }
    });
  }

  #nodeOf(backing: BackingExport): string {
    const { path } = backing;
    const device = readBlockDevice(path);
    if (typeof device === "string") throw new ProvisionError(`Cannot serve "${path}": it is ${device}`);
    const { major, minor } = device;
    const node = this.#folderFor(backing).entryFor(`${major}:${minor}`, (node) => {
      const args = ["-m", "600", node, "b", `${major}`, `${minor}`];
      const { success, stderr } = this.#guard.runNow("mknod", args);
      if (success) return;
      throw new ProvisionError(
        `Cannot make a node for block device "${path}": ${stderr}; run it as root, with CAP_MKNOD`,
      );
    });
    assertOpens(node, backing, this.#storage);
    return node;
  }
}

/** A folder of links and nodes. */
class LinkFolder {
  readonly path: string;
  /** Names, by the paths that they link to, or the numbers of the devices that they are nodes of. */
  readonly #names = new Map<string, string>();
  #lastName = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** Takes over the links that are there, and removes all else. The worker may have done anything here. */
  adopt(): void {
    this.#names.clear();
    if (!isFolder(this.path)) removeFolder(this.path);
    makeFolder(this.path);
    for (const name of entriesOf(this.path)) {
      const file = linkedFile(join(this.path, name));
      if (file === undefined || this.#names.has(file)) removeFolder(join(this.path, name));
      else this.#names.set(file, name);
    }
    const numbers = [...this.#names.values()].map(Number).filter(Number.isSafeInteger);
    this.#lastName = numbers.reduce((most, number) => Math.max(most, number), 0);
  }

  /** The path at which something is reached; `make` makes it, if there is none yet. */
  entryFor(what: string, make: (path: string) => void): string {
    const known = this.#names.get(what);
    if (known !== undefined) return join(this.path, known);
    const name = isAbsolute(what) ? String(++this.#lastName) : what;
    make(join(this.path, name));
    this.#names.set(what, name);
    return join(this.path, name);
  }

  /** Removes what is not wanted. */
  removeUnless(isWanted: (path: string, what: string) => boolean): void {
    for (const [what, name] of this.#names) {
      const path = join(this.path, name);
      if (isWanted(path, what)) continue;
      this.#names.delete(what);
      removeFolder(path);
    }
  }
}

/**
 * Makes a symbolic link. On a file system without inodes left a hard link does as well, which takes none; it is second
 * choice, since whoever copies the storage folder may copy the file twice.
 */
function makeLink(file: string, link: string): void {
  try {
    Deno.symlinkSync(file, link);
  } catch (error) {
    try {
      Deno.linkSync(file, link);
    } catch {
      throw error;
    }
  }
}

/** Whether there is a folder at `path` itself, and not a link to one. */
function isFolder(path: string): boolean {
  try {
    return Deno.lstatSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** The path that a symbolic link has; undefined for anything else. */
function linkedFile(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return undefined;
  }
}

function assertOpens(node: string, { path, readOnly }: DeviceExport, storage: string): void {
  try {
    Deno.openSync(node, { read: true, write: !readOnly }).close();
  } catch (error) {
    const reason = errorMessage(error);
    const remedy = OPEN_REMEDIES[errnoOf(error) ?? 0]?.(storage) ?? "";
    throw new ProvisionError(`Cannot open block device "${path}": ${reason}${remedy}`, { cause: error });
  }
}

/** Where a file is now: what leads there may have been changed since it was last in the conf. */
function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    throw cannotLink(path, error);
  }
}

function cannotLink(path: string, error: unknown): ProvisionError {
  return new ProvisionError(`Cannot make a link to "${path}": ${reasonOf(error)}`, { cause: error });
}
