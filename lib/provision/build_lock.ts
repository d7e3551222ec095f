import { describeHolderPid } from "./lock_record.ts";
import { ProvisionError } from "./provision_error.ts";
import { StorageLock } from "./storage_lock.ts";

/**
 * Takes the lock of everything that changes which backing files there are.
 *
 * @param action the refused action, for the message
 * @throws {ProvisionError} (rejects) when another process holds it
 */
export async function lockForBuild(stateFolder: string, action: string): Promise<StorageLock> {
  const result = await StorageLock.acquire(stateFolder, "build");
  if ("lock" in result) return result.lock;
  const holder = describeHolderPid(result);
  throw new ProvisionError(
    `Cannot ${action}: another "iscsi build" or "iscsi forget" is running${holder}; wait for it`,
  );
}
