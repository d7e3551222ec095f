import { basename, dirname } from "@std/path";
import type { Config } from "../config/config.ts";
import { identityKey } from "./identity/identity_key.ts";

/** Names that say nothing about the use of a folder: a file system has the first one from the start. */
const MEANINGLESS = /^(lost\+found|\..*)$/;

/** Finds the names in a storage folder that are not of the conf's disks; none when it cannot be read. */
export function findStrangers(
  { file, targets }: Config,
  storage: { readonly path: string; readonly realPath: string },
): string[] {
  const units = targets.flatMap(({ logicalUnits }) => logicalUnits);
  const own = new Set(units.map(({ path }) => identityKey(storage, path).split("/")[0]!));
  try {
    if (Deno.realPathSync(dirname(file)) === storage.realPath) own.add(basename(file));
  } catch {
    // A conf that is not a file is in no folder.
  }
  try {
    return Deno.readDirSync(storage.path).map(({ name }) => name)
      .filter((name) => !own.has(name) && !MEANINGLESS.test(name)).toArray().toSorted();
  } catch {
    return [];
  }
}
