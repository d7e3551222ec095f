import { join } from "@std/path";
import { STATE_FOLDER } from "../config/backing_path.ts";

/** The folder beside the backing files in which this program keeps what it must remember about them. */
export function stateFolderOf(storage: string): string {
  return join(storage, STATE_FOLDER);
}

/** The folder of the state folder that holds the nodes of block devices while they are served. */
export function devicesFolderOf(storage: string): string {
  return join(stateFolderOf(storage), "devices");
}

/** The file of the state folder in which the identities are recorded. */
export function identitiesFileOf(storage: string): string {
  return join(stateFolderOf(storage), "identities.json");
}
