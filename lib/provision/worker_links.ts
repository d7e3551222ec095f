import { isAbsolute, join } from "@std/path";
import { readBlockDevice } from "./block_device.ts";
import type { Layer } from "./device_storage.ts";
import type { HelperGuard } from "./helper_guard.ts";
import { entriesOf, isFolder, makeFolder, removeFolder } from "./folders.ts";
import { ProvisionError, reasonOf } from "./provision_error.ts";
import { linksFolderOf, workerLinksOf } from "./state_folder.ts";
import { errnoOf, errorMessage } from "../base/error_message.ts";

/** A block device to serve. */
export interface DeviceExport {
  /** The path in the conf. */
  readonly path: string;
  readonly readOnly: boolean;
  /** The number of the device that the path leads to now, `8:1`. */
  readonly number: string;
  /** The storage with blocks in common that others must not write: all that it lies on, or that lies on it. */
  readonly layers: readonly Layer[];
}

/** A backing file or block device to serve. */
export interface BackingExport {
  /** The path in the conf. */
  readonly path: string;
  readonly readOnly: boolean;
  /** Undefined for a file. */
  readonly device?: Pick<DeviceExport, "number" | "layers"> | undefined;
}

/** The links to backings, and the faults of backings without one. */
export interface LinkedBackings {
  /** The paths of the links, by path in the conf. */
  readonly links: ReadonlyMap<string, string>;
  /** By path in the conf. */
  readonly faults: ReadonlyMap<string, string>;
}

/** Remedies when the kernel refuses to open a device node, by errno. */
const OPEN_REMEDIES: Readonly<Record<number, (place: string) => string>> = {
  1: () => "; allow the device to this container or unit",
  13: (place) => `; mount the file system of "${place}" without "nodev"`,
};

/**
 * The paths by which the target worker opens backings: symbolic links to backing files, and nodes of block devices.
 *
 * A worker's rights are fixed when it starts, and Deno compares each open with every right. So the worker has rights to
 * two folders instead of one right for each file: it may read through the links in one, and read and write through
 * those in the other. It cannot make links, and has no right to the files' own paths, so it cannot move or remove them.
 * Adding and removing links changes the set of served files while the worker runs.
 *
 * Deno makes symbolic links only with rights to every path. A program that was compiled for one storage folder uses
 * hard links, which are limited to the file system of that folder. Such a link keeps its file: it is made again when
 * another file has taken the path, and removed when the server ends, so that deleting the file frees its space.
 *
 * Symbolic links remain when the server ends, because checking a thousand links is faster than making them.
 *
 * Deno opens nothing in /dev without all rights, but opens a device node elsewhere like any file. A node refers to its
 * device by number, and the kernel reuses the number of a removed device. An open device keeps its number; nodes of an
 * earlier server may refer to another device, and are removed.
 */
export class WorkerLinks {
  readonly #place: string;
  readonly #guard: Pick<HelperGuard, "runNow">;
  readonly #readOnly: LinkFolder;
  readonly #readWrite: LinkFolder;

  /** @param place the folder of the worker */
  constructor(place: string, guard: Pick<HelperGuard, "runNow">) {
    this.#place = place;
    this.#guard = guard;
    this.#readOnly = new LinkFolder(workerLinksOf(place, { readOnly: true }));
    this.#readWrite = new LinkFolder(workerLinksOf(place, { readOnly: false }));
  }

  /**
   * Makes the links for a worker that is about to start, and removes all others, including those of earlier servers.
   *
   * @throws {ProvisionError} when the state folder cannot be written
   */
  renew(backings: readonly BackingExport[]): LinkedBackings {
    const links = linksFolderOf(this.#place);
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

  /** Makes the links that a running worker lacks, and returns the links to all backings. */
  extend(backings: readonly BackingExport[]): LinkedBackings {
    const links = new Map<string, string>();
    const faults = new Map<string, string>();
    for (const backing of backings) {
      try {
        links.set(backing.path, backing.device !== undefined ? this.#nodeOf(backing) : this.#linkTo(backing));
      } catch (error) {
        if (!(error instanceof ProvisionError)) throw error;
        faults.set(backing.path, error.message);
      }
    }
    return { links, faults };
  }

  /**
   * Removes all links except the given ones.
   *
   * @throws {ProvisionError} when the system refuses
   */
  retain(links: Iterable<string>): void {
    const wanted = new Set(links);
    for (const folder of [this.#readOnly, this.#readWrite]) folder.removeUnless((path) => wanted.has(path));
  }

  /**
   * Removes the nodes of block devices and the hard links. No worker may be running.
   *
   * @throws {ProvisionError} when the system refuses
   */
  removeNodes(): void {
    for (const folder of [this.#readOnly, this.#readWrite]) {
      folder.removeUnless((path) => linkedFile(path) !== undefined);
    }
  }

  #folderFor({ readOnly }: BackingExport): LinkFolder {
    return readOnly ? this.#readOnly : this.#readWrite;
  }

  #linkTo(backing: BackingExport): string {
    const { path } = backing;
    const file = realPath(path);
    const make = (link: string): void => {
      try {
        makeLink({ file, path }, link);
      } catch (error) {
        throw cannotLink(path, error);
      }
    };
    return this.#folderFor(backing).entryFor(file, { make, isStale: (link) => !leadsTo(link, path) });
  }

  #nodeOf(backing: BackingExport): string {
    const { path } = backing;
    const device = readBlockDevice(path);
    if (typeof device === "string") throw new ProvisionError(`Cannot serve "${path}": it is ${device}`);
    const { major, minor } = device;
    const make = (node: string): void => {
      const args = ["-m", "600", node, "b", `${major}`, `${minor}`];
      const { success, stderr } = this.#guard.runNow("mknod", args);
      if (success) return;
      throw new ProvisionError(
        `Cannot create a node of block device "${path}": ${stderr}; run it as root, with CAP_MKNOD`,
      );
    };
    const node = this.#folderFor(backing).entryFor(`${major}:${minor}`, { make, isStale: () => false });
    assertOpens(node, backing, this.#place);
    return node;
  }
}

/** A folder of links and device nodes. */
class LinkFolder {
  readonly path: string;
  /** The names of the entries, by the path that they link to, or by the number of their device. */
  readonly #names = new Map<string, string>();
  #lastName = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** Keeps the existing links, and removes everything else. A worker may have changed anything in the folder. */
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

  /** Returns the path of the entry for a file or device; `make` makes one that is missing or stale. */
  entryFor(
    what: string,
    { make, isStale }: { make: (path: string) => void; isStale: (path: string) => boolean },
  ): string {
    const known = this.#names.get(what);
    if (known !== undefined) {
      const path = join(this.path, known);
      if (!isStale(path)) return path;
      this.#names.delete(what);
      removeFolder(path);
    }
    const name = isAbsolute(what) ? String(++this.#lastName) : what;
    make(join(this.path, name));
    this.#names.set(what, name);
    return join(this.path, name);
  }

  /** Removes the entries that are not wanted. */
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
 * Makes a symbolic link; or a hard link, which takes no inode, if that fails. A hard link is the second choice, because
 * a copy of the storage folder may then contain the file twice. It is made from the path in the conf, because a program
 * that was compiled for one storage folder may have no right to the real path; unless that path is a link itself.
 */
function makeLink({ file, path }: { file: string; path: string }, link: string): void {
  try {
    Deno.symlinkSync(file, link);
  } catch (error) {
    try {
      Deno.linkSync(linkedFile(path) === undefined ? path : file, link);
    } catch (linkError) {
      // Without the right to make a symbolic link, the reason is that of the hard link.
      throw error instanceof Deno.errors.NotCapable ? linkError : error;
    }
  }
}

/** Reports whether a link leads to the file at a path now. A symbolic link, which contains its real path, does. */
function leadsTo(link: string, path: string): boolean {
  if (linkedFile(link) !== undefined) return true;
  try {
    const [linked, current] = [Deno.lstatSync(link), Deno.statSync(path)];
    return linked.dev === current.dev && linked.ino === current.ino;
  } catch {
    return false;
  }
}

/** Returns the path that a symbolic link contains; undefined for anything else. */
function linkedFile(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return undefined;
  }
}

function assertOpens(node: string, { path, readOnly }: BackingExport, place: string): void {
  try {
    Deno.openSync(node, { read: true, write: !readOnly }).close();
  } catch (error) {
    const reason = errorMessage(error);
    const remedy = OPEN_REMEDIES[errnoOf(error) ?? 0]?.(place) ?? "";
    throw new ProvisionError(`Cannot open block device "${path}": ${reason}${remedy}`, { cause: error });
  }
}

/** Returns the current real path of a file. Links on its path may have changed since the conf was read. */
function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    throw cannotLink(path, error);
  }
}

function cannotLink(path: string, error: unknown): ProvisionError {
  return new ProvisionError(`Cannot create a link to "${path}": ${reasonOf(error)}`, { cause: error });
}
