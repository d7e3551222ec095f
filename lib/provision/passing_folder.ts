/** Folders of the state folder, most of which hold what one run of the server needs. */
import { ProvisionError, reasonOf } from "./provision_error.ts";

const FOLDER_MODE = 0o700;

/**
 * Makes a folder, unless it is there.
 *
 * @throws {ProvisionError} when the system refuses
 */
export function makeFolder(path: string): void {
  try {
    Deno.mkdirSync(path, { recursive: true, mode: FOLDER_MODE });
  } catch (error) {
    throw new ProvisionError(`Cannot create folder "${path}": ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Removes a folder with all that is in it, unless there is none.
 *
 * @throws {ProvisionError} when the system refuses
 */
export function removeFolder(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new ProvisionError(`Cannot remove folder "${path}": ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * The names of what is in a folder; none when there is no folder.
 *
 * @throws {ProvisionError} when the system refuses
 */
export function entriesOf(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new ProvisionError(`Cannot read folder "${path}": ${reasonOf(error)}`, { cause: error });
  }
}
