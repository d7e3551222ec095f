import { runHelper } from "./run_helper.ts";

/** The process that holds a lock of a file. */
export interface LockOwner {
  readonly pid: number;
  /** The name of its program. */
  readonly command: string;
}

/** A lock that is held, as `lslocks` lists it. */
export interface ListedLock extends LockOwner {
  /** The file system's number, `MAJOR:MINOR`. */
  readonly device: string;
  readonly inode: number;
  /** Empty when it is unknown. */
  readonly path: string;
}

/** The columns requested of `lslocks`. */
export const LOCK_COLUMNS = "PID,TYPE,MODE,MAJ:MIN,INODE,COMMAND,PATH";

/** A file, by the numbers of its file system and of its inode. */
interface FileNumbers {
  readonly dev: number;
  readonly ino: number | null;
}

/**
 * Finds the process that holds a lock (flock) of a file; undefined when it cannot be found, as without `lslocks`, in
 * another PID namespace, or on another machine.
 */
export function findLockOwner(file: FileNumbers): LockOwner | undefined {
  const owner = lookUpLockOwner(file);
  return owner === "hidden" ? undefined : owner;
}

/**
 * Finds the process that holds a lock (flock) of a file which is known to be held; `hidden` when it is in another PID
 * namespace or on another machine, so that it has no number here. Undefined when the system does not list its locks.
 */
export function lookUpLockOwner({ dev, ino }: FileNumbers): LockOwner | "hidden" | undefined {
  const locks = listLocks();
  if (locks === undefined) return undefined;
  const sameInode = locks.filter(({ inode }) => inode === ino);
  const own = deviceText(dev);
  const found = sameInode.find(({ device }) => device === own);
  if (found !== undefined) return found;
  // On btrfs, each subvolume has its own device number, but the list of locks has that of the file system. A disk has
  // one number, and the same inode on another disk is another file.
  return isOfNoDisk(own) ? sameInode.find(({ device }) => isOfNoDisk(device)) ?? "hidden" : "hidden";
}

/** Finds the process that holds a lock (flock) of a path; undefined when it cannot be found. */
export function findLockOwnerOf(path: string): LockOwner | undefined {
  return listLocks()?.find((lock) => lock.path === path);
}

/** Lists the locks that this process can see; undefined when `lslocks` fails. */
function listLocks(): readonly ListedLock[] | undefined {
  const args = ["--raw", "--noheadings", "--notruncate", "--output", LOCK_COLUMNS];
  try {
    const { success, stdout } = runHelper("lslocks", args);
    return success ? parseLocks(stdout) : undefined;
  } catch {
    return undefined;
  }
}

/** Parses the output of `lslocks`: the locks of flock that are held, without the pending ones. */
export function parseLocks(text: string): ListedLock[] {
  return text.split("\n").flatMap((line) => {
    const columns = /^([1-9]\d*) FLOCK [A-Z]+ (\d+:\d+) (\d+) (\S*) (.*)$/.exec(line);
    if (columns === null) return [];
    const [, pid, device, inode, command, path] = columns as unknown as readonly string[];
    return [{
      pid: Number(pid),
      device: device!,
      inode: Number(inode),
      command: command!,
      path: path!,
    }];
  });
}

/** Returns whether a file system's number is not that of a disk. */
function isOfNoDisk(device: string): boolean {
  return device.startsWith("0:");
}

/** Formats a device number as `MAJOR:MINOR` (makedev(3)). */
function deviceText(dev: number): string {
  const high = Math.floor(dev / 2 ** 32);
  const low = dev % 2 ** 32;
  const major = (low >>> 8 & 0xfff) + (high & ~0xfff);
  const minor = (low & 0xff) + (low >>> 12 & ~0xff);
  return `${major}:${minor}`;
}

/** Describes the process that holds a lock. */
export function describeLockOwner(owner: LockOwner | undefined): string {
  return owner === undefined ? "another process" : `process ${owner.pid} (${owner.command})`;
}
