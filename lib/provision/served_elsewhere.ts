import { openToLock, takeFileLock } from "./file_lock.ts";
import { describeLockOwner, findLockOwner } from "./lock_owner.ts";
import { ProvisionError } from "./provision_error.ts";
import { stateFolderOf } from "./state_folder.ts";
import type { Step } from "./step.ts";
import { StorageLock } from "./storage_lock.ts";

/**
 * Asserts that no file that the steps grow is served by a server of another storage folder.
 *
 * @throws {ProvisionError} when one is
 */
export function assertNotServedElsewhere(storage: string, steps: readonly Step[]): void {
  for (const { kind, path } of steps) {
    if (kind !== "growFile") continue;
    const owner = otherOwnerOf(path, storage);
    if (owner === undefined) continue;
    throw new ProvisionError(
      `Cannot grow "${path}": ${owner} has locked it, probably another server; stop it or set another path`,
    );
  }
}

/** Describes the process that has locked a file, unless it is the server of the storage folder. */
function otherOwnerOf(path: string, storage: string): string | undefined {
  using file = openToLock(path);
  if (takeFileLock(file)) return undefined;
  const owner = findLockOwner(file.statSync());
  const own = StorageLock.holder(stateFolderOf(storage), "serve");
  // An unknown owner is most likely the running server.
  const isOwn = own !== undefined && (owner === undefined || owner.pid === own.holderPid);
  return isOwn ? undefined : describeLockOwner(owner);
}
