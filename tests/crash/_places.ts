/** The folders in which recorded programs work. */
import { join } from "@std/path";

/** The storage folder in the folder that is recorded. Its parents are made by `build` too. */
export const STORAGE = "srv/storage";

/** The folder that is recorded, in the folder of a recording. */
export const ROOT_FOLDER = "root";
/** The conf, beside the storage folder. */
const CONF = "iscsi.conf";
const NOTES = "notes";
/** The log of strace. */
export const LOG = "strace.log";

/** Returns where the programs work in a folder. */
export function placesIn(
  folder: string,
): { readonly storage: string; readonly conf: string; readonly notes: string } {
  return {
    storage: join(folder, ROOT_FOLDER, STORAGE),
    conf: join(folder, CONF),
    notes: join(folder, NOTES),
  };
}
