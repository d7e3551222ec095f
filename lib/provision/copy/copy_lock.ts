import { describeLockOwner, findLockOwner } from "../lock_owner.ts";
import { isFileAt } from "../file_lock.ts";
import { ProvisionError, reasonOf } from "../provision_error.ts";

/**
 * Locks a file that no server serves for a copy: shared for the source, so that nothing changes it, exclusive for the
 * destination. Closing the file releases the lock.
 *
 * @throws {ProvisionError} when it cannot be opened, or another process uses it
 */
export function lockForCopy(path: string, role: "source" | "destination"): Deno.FsFile {
  const isDestination = role === "destination";
  let file: Deno.FsFile;
  try {
    // Opening a named pipe would block.
    if (!Deno.statSync(path).isFile) throw new Error("it is not a file");
    file = Deno.openSync(path, { read: true, write: isDestination });
  } catch (error) {
    throw new ProvisionError(`Cannot open "${path}": ${reasonOf(error)}`, { cause: error });
  }
  if (tryLock(file, isDestination)) {
    if (isFileAt(file, path)) return file;
    file.close();
    throw new ProvisionError(`Cannot lock "${path}": another file has replaced it; try again`);
  }
  const owner = describeLockOwner(findLockOwner(file.statSync()));
  file.close();
  const verb = isDestination ? "copy to" : "copy";
  throw new ProvisionError(
    `Cannot ${verb} "${path}": ${owner} has locked it, probably a server; stop it first`,
  );
}

function tryLock(file: Deno.FsFile, isExclusive: boolean): boolean {
  try {
    return file.tryLockSync(isExclusive);
  } catch {
    // The file system has no locks.
    return true;
  }
}
