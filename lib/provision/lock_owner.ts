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
  /** Empty where it is not known. */
  readonly path: string;
}

/** What `lslocks` is asked for. */
export const LOCK_COLUMNS = "PID,TYPE,MODE,MAJ:MIN,INODE,COMMAND,PATH";

/**
 * Finds the process that holds a lock (flock) of a file; undefined when that cannot be found out, as without `lslocks`
 * or in another PID namespace.
 */
export function findLockOwner(
  { dev, ino }: { readonly dev: number; readonly ino: number | null },
): LockOwner | undefined {
  const sameInode = listLocks().filter(({ inode }) => inode === ino);
  // btrfs gives each subvolume a number of its own, and the list of locks has the one of the file system.
  return sameInode.find(({ device }) => device === deviceText(dev)) ?? sameInode[0];
}

/** Finds the process that holds a lock (flock) of what a path names; undefined when that cannot be found out. */
export function findLockOwnerOf(path: string): LockOwner | undefined {
  return listLocks().find((lock) => lock.path === path);
}

function listLocks(): readonly ListedLock[] {
  try {
    return parseLocks(
      runHelper("lslocks", ["--raw", "--noheadings", "--notruncate", "--output", LOCK_COLUMNS]).stdout,
    );
  } catch {
    return [];
  }
}

/** Reads the answer of `lslocks`: the locks of flock that are held, and not those that are waited for. */
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

/** The number of a device as `MAJOR:MINOR` (makedev(3)). */
function deviceText(dev: number): string {
  const high = Math.floor(dev / 2 ** 32);
  const low = dev % 2 ** 32;
  const major = (low >>> 8 & 0xfff) + (high & ~0xfff);
  const minor = (low & 0xff) + (low >>> 12 & ~0xff);
  return `${major}:${minor}`;
}

/** Names the process that holds a lock, as far as it is known. */
export function describeLockOwner(owner: LockOwner | undefined): string {
  return owner === undefined ? "another process" : `process ${owner.pid} (${owner.command})`;
}
