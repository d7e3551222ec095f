import { join } from "@std/path";
import { entriesOf, makeFolder, removeFolder } from "./folders.ts";
import { ProvisionError, reasonOf } from "./provision_error.ts";
import { journalsFolderOf, stateFolderOf } from "./state_folder.ts";

/** Folders that earlier versions of this program made for one run of the server. */
const FORMER_FOLDERS = ["devices", "holes"] as const;

/** Journals that earlier versions kept in the state folder itself, to which the target worker has no right. */
const FORMER_JOURNAL = /^atomic-[0-9a-f]{16}\.journal(\.kept)?$/;

/**
 * Makes the folder of the journals, in which the target worker writes, and moves the journals of earlier versions
 * there. No other process may serve the storage folder.
 *
 * @param warn receives a warning when the server must run without journals
 * @throws {ProvisionError} when a journal cannot be moved: the writes that it would undo would remain incomplete
 */
export function prepareWorkerState(storage: string, warn: (message: string) => void): void {
  const state = stateFolderOf(storage);
  const journals = journalsFolderOf(storage);
  for (const name of FORMER_FOLDERS) removeFolder(join(state, name));
  try {
    makeFolder(journals);
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error;
    warn(`${error.message}; atomic writes of more than a page fail`);
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
