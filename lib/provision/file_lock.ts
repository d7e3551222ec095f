/** Takes the exclusive lock of a file, as a server does; returns false when another process holds one. */
export function takeFileLock(file: Deno.FsFile): boolean {
  try {
    return file.tryLockSync(true);
  } catch {
    // The file system has no locks.
    return true;
  }
}
