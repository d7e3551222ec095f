import { describeLockOwner, findLockOwner } from "./lock_owner.ts";
import { ProvisionError } from "./provision_error.ts";
import { stateFolderOf } from "./state_folder.ts";
import type { Step } from "./step.ts";
import { StorageLock } from "./storage_lock.ts";

/**
 * Makes sure that no file is about to grow that another server than that of the storage folder serves.
 *
 * @throws {ProvisionError} when there is one
 */
export function assertNotServedElsewhere(storage: string, steps: readonly Step[]): void {
  for (const { kind, path } of steps) {
    if (kind !== "growFile") continue;
    const owner = otherOwnerOf(path, storage);
    if (owner === undefined) continue;
    throw new ProvisionError(
      `Cannot grow "${path}": ${owner} has locked it, as a server does with what it serves; ` +
        "end that, or set another path",
    );
  }
}

/** Describes the process that has locked a file, if that is not the server of the storage folder. */
function otherOwnerOf(path: string, storage: string): string | undefined {
  using file = Deno.openSync(path, { read: true });
  if (isUnlocked(file)) return undefined;
  const owner = findLockOwner(file.statSync());
  const own = StorageLock.holder(stateFolderOf(storage), "serve");
  // Where it is not known who has the lock, it is most likely the server that is there.
  const isOwn = own !== undefined && (owner === undefined || owner.pid === own.holderPid);
  return isOwn ? undefined : describeLockOwner(owner);
}

function isUnlocked(file: Deno.FsFile): boolean {
  try {
    return file.tryLockSync(true);
  } catch {
    // A file system without locks.
    return true;
  }
}
