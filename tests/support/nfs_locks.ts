/** Runs `act` with the locks of NFS, which are exclusive only for handles that may write. */
export async function withNfsLocks(act: () => void | Promise<void>): Promise<void> {
  const { openSync, FsFile } = Deno;
  const { tryLockSync } = FsFile.prototype;
  const writable = new WeakSet<Deno.FsFile>();
  Deno.openSync = (path, options) => {
    const file = openSync(path, options);
    if (options?.write === true) writable.add(file);
    return file;
  };
  FsFile.prototype.tryLockSync = function (exclusive): boolean {
    if (exclusive === true && !writable.has(this)) throw new Error("Bad file descriptor (os error 9)");
    return tryLockSync.call(this, exclusive);
  };
  try {
    await act();
  } finally {
    Deno.openSync = openSync;
    FsFile.prototype.tryLockSync = tryLockSync;
  }
}
