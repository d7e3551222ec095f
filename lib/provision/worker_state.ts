import { join } from "@std/path";
import { entriesOf, makeFolder, removeFolder } from "./passing_folder.ts";
import { ProvisionError, reasonOf } from "./provision_error.ts";
import { journalsFolderOf, stateFolderOf } from "./state_folder.ts";

/** Folders that earlier versions made for one run of the server. */
const FORMER_FOLDERS = ["devices", "holes"] as const;

/** Journals where earlier versions kept them: in the state folder itself, to which the target worker has no right. */
const FORMER_JOURNAL = /^atomic-[0-9a-f]{16}\.journal(\.kept)?$/;

/**
 * Makes the folder of the journals, in which the target worker writes, and moves there what earlier versions of this
 * program kept elsewhere. No other process may serve the storage folder.
 *
 * @param warn is told what the server lacks when it serves all the same
 * @throws {ProvisionError} when a journal cannot be moved: then what it would take back stays half done
 */
export function prepareWorkerState(storage: string, warn: (message: string) => void): void {
  const state = stateFolderOf(storage);
  const journals = journalsFolderOf(storage);
  for (const name of FORMER_FOLDERS) removeFolder(join(state, name));
  try {
    makeFolder(journals);
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error;
    warn(`Initiators get errors for atomic writes of more than a page: ${error.message}`);
  }
  const former = entriesOf(state).filter((name) => FORMER_JOURNAL.test(name));
  for (const name of former) moveFile(join(state, name), join(journals, name));
}

function moveFile(from: string, to: string): void {
  try {
    Deno.renameSync(from, to);
  } catch (error) {
    throw new ProvisionError(`Cannot move "${from}" to "${to}": ${reasonOf(error)}`, { cause: error });
  }
}
