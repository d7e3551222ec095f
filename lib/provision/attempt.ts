import { ProvisionError, reasonOf } from "./provision_error.ts";

/**
 * Does some work on the disk.
 *
 * @param action the work, for the message of a failure
 * @throws {ProvisionError} (rejects) when it fails
 */
export async function attempt(action: string, work: () => void | Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw new ProvisionError(`Cannot ${action}: ${reasonOf(error)}`, { cause: error });
  }
}
