import { errnoOf } from "../base/error_message.ts";

/** EBADF and EIO: NFS gives an exclusive lock only to a handle that may write (flock(2)). */
const NEEDS_WRITE: readonly (number | undefined)[] = [9, 5];

/**
 * Opens a file to lock it, for writing too where that is permitted.
 *
 * @throws {Error} when it cannot be opened
 */
export function openToLock(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { read: true, write: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw error;
    return Deno.openSync(path, { read: true });
  }
}

/**
 * Takes the exclusive lock of a file, as a server does; returns false when another process holds one. A handle that may
 * not have it takes a shared lock, which conflicts with all servers but those that only read.
 */
export function takeFileLock(file: Deno.FsFile): boolean {
  try {
    return file.tryLockSync(true);
  } catch (error) {
    return NEEDS_WRITE.includes(errnoOf(error)) ? tryShared(file) : true;
  }
}

function tryShared(file: Deno.FsFile): boolean {
  try {
    return file.tryLockSync(false);
  } catch {
    // The file system has no locks.
    return true;
  }
}

/** Returns whether a path leads to an open file now. */
export function isFileAt(file: Deno.FsFile, path: string): boolean {
  try {
    const [opened, found] = [file.statSync(), Deno.statSync(path)];
    return opened.dev === found.dev && opened.ino === found.ino;
  } catch {
    return false;
  }
}
