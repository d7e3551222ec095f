import { dirname } from "@std/path";
import type { Config } from "../config/config.ts";
import { backingFilesOf } from "./backing_files.ts";
import { isInside } from "./is_inside.ts";
import { ProvisionError, reasonOf } from "./provision_error.ts";
import { syncPath } from "../store/stable_storage.ts";
import { identitiesFileOf, workerFoldersOf, workerPlacesOf } from "./state_folder.ts";

/**
 * Syncs the state that a server relies on: the identities, and the names of all files of a conf, up to the root. A
 * build or server that was killed may have left them in memory only, and a loss of power must not undo the state that
 * initiators have seen.
 *
 * @throws {ProvisionError} (rejects) when a sync in the storage folder fails
 */
export async function settleState(config: Config): Promise<void> {
  const { storage } = config;
  const identities = identitiesFileOf(storage);
  const folders = new Set<string>();
  const kept = [dirname(identities), ...workerPlacesOf(storage).flatMap(workerFoldersOf)];
  for (const start of [...kept, ...backingFilesOf(config).map(dirname)]) {
    for (let folder = start; !folders.has(folder); folder = dirname(folder)) folders.add(folder);
  }
  const refused = await Promise.all([identities, ...folders].map(async (path) => {
    try {
      await syncIfPresent(path);
      return undefined;
    } catch (error) {
      return { path, error };
    }
  }));
  for (const refusal of refused) {
    if (refusal === undefined || (!isInside(storage, refusal.path) && refusal.path !== storage)) continue;
    throw new ProvisionError(`Cannot put "${refusal.path}" on stable storage: ${reasonOf(refusal.error)}`, {
      cause: refusal.error,
    });
  }
}

/** Syncs a path. Ignores one that is missing or not accessible, because this program has made nothing there. */
async function syncIfPresent(path: string): Promise<void> {
  try {
    await syncPath(path);
  } catch (error) {
    const isAbsent = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
    if (!isAbsent && !(error instanceof Deno.errors.PermissionDenied)) throw error;
  }
}
