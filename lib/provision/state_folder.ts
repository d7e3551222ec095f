import { join } from "@std/path";
import { STATE_FOLDER } from "../config/backing_path.ts";

/** Returns the state folder: the folder beside the backing files for this program's state. */
export function stateFolderOf(storage: string): string {
  return join(storage, STATE_FOLDER);
}

/** Returns the folder for the helper programs of each run of the server. */
export function helpersFolderOf(storage: string): string {
  return join(stateFolderOf(storage), "helpers");
}

/** Returns the folder of the links to backing files and the nodes of block devices. */
export function linksFolderOf(storage: string): string {
  return join(stateFolderOf(storage), "links");
}

/** Returns the part of the links folder whose files the target worker may only read, or may read and write. */
export function workerLinksOf(storage: string, { readOnly }: { readonly readOnly: boolean }): string {
  return join(linksFolderOf(storage), readOnly ? "read-only" : "read-write");
}

/** Returns the folder of the journals of atomic writes. */
export function journalsFolderOf(storage: string): string {
  return join(stateFolderOf(storage), "journals");
}

/** Returns the file of the recorded identities. */
export function identitiesFileOf(storage: string): string {
  return join(stateFolderOf(storage), "identities.json");
}

/** Returns the file of the unused backing files that were mentioned. */
export function mentionedFileOf(storage: string): string {
  return join(stateFolderOf(storage), "mentioned.json");
}

/** Returns the file of the build mark. */
export function buildMarkOf(storage: string): string {
  return join(stateFolderOf(storage), "built");
}

/** Returns the journal of the atomic writes to the logical unit with this NAA identifier. */
export function atomicJournalOf(storage: string, naa: string): string {
  return join(journalsFolderOf(storage), `atomic-${naa.toLowerCase()}.journal`);
}

/** Returns the folder of the persistent reservations. */
function reservationsFolderOf(storage: string): string {
  return join(stateFolderOf(storage), "reservations");
}

/** Returns the file of the persistent reservations of the logical unit with this NAA identifier. */
export function reservationsFileOf(storage: string, naa: string): string {
  return join(reservationsFolderOf(storage), `${naa.toLowerCase()}.json`);
}

/** Returns the folder of the states of SANITIZE. */
function sanitizeFolderOf(storage: string): string {
  return join(stateFolderOf(storage), "sanitize");
}

/** Returns the folders of files that a target worker writes in place, also on a full file system. */
export function inPlaceFoldersOf(storage: string): readonly string[] {
  return [reservationsFolderOf(storage), sanitizeFolderOf(storage)];
}

/** Returns all folders of state that a target worker reads and writes. */
export function workerFoldersOf(storage: string): readonly string[] {
  return [journalsFolderOf(storage), ...inPlaceFoldersOf(storage)];
}

/** Returns the file with the outcome of the last SANITIZE of the logical unit with this NAA identifier. */
export function sanitizeFileOf(storage: string, naa: string): string {
  return join(sanitizeFolderOf(storage), `${naa.toLowerCase()}.json`);
}

/** Returns the control socket of the server that serves the storage folder. */
export function controlSocketOf(storage: string): string {
  return join(stateFolderOf(storage), "control");
}

/** Returns the file that reserves space for a start on a full file system. */
export function reserveFileOf(storage: string): string {
  return join(stateFolderOf(storage), "reserve");
}

/** Returns the file with the growth of the backing files in the last days. */
export function growthFileOf(storage: string): string {
  return join(stateFolderOf(storage), "growth.json");
}
