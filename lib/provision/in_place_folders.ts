import { statfsSync } from "node:fs";
import { makeFolder } from "./passing_folder.ts";
import { inPlaceFoldersOf } from "./state_folder.ts";
import { runHelper } from "./run_helper.ts";
import { reasonOf } from "./provision_error.ts";

/** The number of btrfs (`f_type` of statfs). */
const BTRFS = 0x9123683e;

/**
 * Makes the folders of what a target worker keeps of its logical units, whose files must be writable on a full file
 * system. On btrfs that takes files without copy-on-write, as those are that are made in a folder with this attribute.
 *
 * @returns why they are not; undefined when they are
 */
export function prepareInPlaceFolders(storage: string): string | undefined {
  for (const folder of inPlaceFoldersOf(storage)) {
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
