import { basename, join } from "@std/path";
import { syncPath } from "../store/stable_storage.ts";
import { entriesOf, makeFolder, removeFolder } from "./folders.ts";
import { ProvisionError, reasonOf } from "./provision_error.ts";
import {
  journalsFolderOf,
  stateFolderOf,
  unitOfState,
  workerFoldersOf,
  workerPlacesOf,
} from "./state_folder.ts";

/** Folders that earlier versions of this program made for one run of the server. */
const FORMER_FOLDERS = ["devices", "holes"] as const;

/** Journals that earlier versions kept in the state folder itself, to which the target worker has no right. */
const FORMER_JOURNAL = /^atomic-[0-9a-f]{16}\.journal(\.kept)?$/;

/**
 * Makes the folder of the journals, in which a target worker writes.
 *
 * @param place the folder of the worker
 * @param warn receives a warning when the server must run without journals
 */
export function prepareWorkerState(place: string, warn: (message: string) => void): void {
  try {
    makeFolder(journalsFolderOf(place));
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error;
    warn(`${error.message}; atomic writes of more than a page fail`);
  }
}

/**
 * Removes the folders of earlier versions, and moves their journals to the folder of journals. No other process may
 * serve the storage folder.
 *
 * @throws {ProvisionError} when a journal cannot be moved: the writes that it would undo would remain incomplete
 */
export function moveFormerState(storage: string): void {
  const state = stateFolderOf(storage);
  for (const name of FORMER_FOLDERS) removeFolder(join(state, name));
  const former = entriesOf(state).filter((name) => FORMER_JOURNAL.test(name));
  for (const name of former) moveFile(join(state, name), join(journalsFolderOf(state), name));
}

/**
 * Moves the state of logical units to the worker that serves them, from the folders of the workers that served them
 * before. No other worker may have the units open. An earlier version of this program, which does not know these
 * folders, may have made a second file; the one that was written last counts.
 *
 * @param place the folder of the worker
 * @param naas the NAA identifiers of the units
 * @throws {ProvisionError} (rejects) when a file cannot be moved: without its state, a unit would not be the same
 */
export async function moveUnitState(storage: string, place: string, naas: Iterable<string>): Promise<void> {
  const units = new Set([...naas].map((naa) => naa.toLowerCase()));
  const changed = new Set<string>();
  for (const other of workerPlacesOf(storage).filter((other) => other !== place)) {
    for (const from of workerFoldersOf(other)) {
      const to = workerFoldersOf(place).find((folder) => basename(folder) === basename(from))!;
      const names = entriesOf(from).filter((name) => units.has(unitOfState(name) ?? ""));
      for (const name of names) {
        moveNewer(join(from, name), join(to, name));
        changed.add(to).add(from);
      }
    }
  }
  for (const folder of changed) await syncPath(folder);
}

function moveNewer(from: string, to: string): void {
  const isOlder = (modifiedMs(from) ?? -Infinity) < (modifiedMs(to) ?? -Infinity);
  if (!isOlder) moveFile(from, to);
  else removeFolder(from);
}

/** Returns the time of the last change of a file; undefined when there is none. */
function modifiedMs(path: string): number | undefined {
  try {
    const { isFile, mtime } = Deno.lstatSync(path);
    return isFile ? mtime?.getTime() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new ProvisionError(`Cannot access "${path}": ${reasonOf(error)}`, { cause: error });
  }
}

function moveFile(from: string, to: string): void {
  try {
    Deno.renameSync(from, to);
  } catch (error) {
    throw new ProvisionError(`Cannot move "${from}" to "${to}": ${reasonOf(error)}`, { cause: error });
  }
}
