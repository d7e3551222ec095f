/** Takes the exclusive lock of a file, as a server does; returns false when another process holds one. */
export function takeFileLock(file: Deno.FsFile): boolean {
  try {
    return file.tryLockSync(true);
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
