import { statfsSync } from "node:fs";
import { makeFolder } from "./folders.ts";
import { inPlaceFoldersOf } from "./state_folder.ts";
import { runHelper } from "./run_helper.ts";
import { reasonOf } from "./provision_error.ts";

/** The number of btrfs (`f_type` of statfs). */
const BTRFS = 0x9123683e;

/**
 * Makes the folders for state that a target worker writes in place, and that must be writable on a full file system. On
 * btrfs, this requires files without copy-on-write, so the folders get the attribute for that, which new files inherit.
 *
 * @returns the fault when a folder cannot be prepared
 */
export function prepareInPlaceFolders(place: string): string | undefined {
  for (const folder of inPlaceFoldersOf(place)) {
    const fault = prepareFolder(folder);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function prepareFolder(folder: string): string | undefined {
  try {
    makeFolder(folder);
    if (statfsSync(folder).type !== BTRFS) return undefined;
    const { success, stderr } = runHelper("chattr", ["+C", folder]);
    return success ? undefined : stderr;
  } catch (error) {
    return reasonOf(error);
  }
}
