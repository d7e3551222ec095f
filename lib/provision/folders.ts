/** Folders in the state folder, such as those of one run of the server. */
import { ProvisionError, reasonOf } from "./provision_error.ts";

const FOLDER_MODE = 0o700;

/**
 * Makes a folder, unless it exists.
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
 * Removes a folder or file with all of its content, if it exists.
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
 * Returns the names of the entries of a folder; none when it does not exist.
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

/** Returns true for a folder, false for a link to one. */
export function isFolder(path: string): boolean {
  try {
    return Deno.lstatSync(path).isDirectory;
  } catch {
    return false;
  }
}
