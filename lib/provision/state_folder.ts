import { join } from "@std/path";
import { STATE_FOLDER } from "../config/backing_path.ts";

/** The folder beside the backing files in which this program keeps what it must remember about them. */
export function stateFolderOf(storage: string): string {
  return join(storage, STATE_FOLDER);
}

/** The folder of the state folder that holds what the programs need that a run of the server starts. */
export function helpersFolderOf(storage: string): string {
  return join(stateFolderOf(storage), "helpers");
}

/** The folder of the state folder that holds links to backing files, and nodes of block devices. */
export function linksFolderOf(storage: string): string {
  return join(stateFolderOf(storage), "links");
}

/** The part of it that the target worker may only read, or may write as well. */
export function workerLinksOf(storage: string, { readOnly }: { readonly readOnly: boolean }): string {
  return join(linksFolderOf(storage), readOnly ? "read-only" : "read-write");
}

/** The folder of the state folder that holds the journals of atomic writes. */
export function journalsFolderOf(storage: string): string {
  return join(stateFolderOf(storage), "journals");
}

/** The file of the state folder in which the identities are recorded. */
export function identitiesFileOf(storage: string): string {
  return join(stateFolderOf(storage), "identities.json");
}

/** The file of the state folder by which a build vouches for what is on stable storage. */
export function buildMarkOf(storage: string): string {
  return join(stateFolderOf(storage), "built");
}

/** The file of the state folder that keeps the atomic writes to a LUN whole, wherever its backing file lies. */
export function atomicJournalOf(storage: string, naa: string): string {
  return join(journalsFolderOf(storage), `atomic-${naa.toLowerCase()}.journal`);
}

/** The folder of the state folder that holds the persistent reservations. */
function reservationsFolderOf(storage: string): string {
  return join(stateFolderOf(storage), "reservations");
}

/** The file of the state folder that keeps the persistent reservations of the logical unit with this NAA identifier. */
export function reservationsFileOf(storage: string, naa: string): string {
  return join(reservationsFolderOf(storage), `${naa.toLowerCase()}.json`);
}

/** The folder of the state folder that holds what is known of SANITIZE. */
function sanitizeFolderOf(storage: string): string {
  return join(stateFolderOf(storage), "sanitize");
}

/** The folders of files that a target worker changes in place, which must go although the file system is full. */
export function inPlaceFoldersOf(storage: string): readonly string[] {
  return [reservationsFolderOf(storage), sanitizeFolderOf(storage)];
}

/** All folders of state that a target worker reads and writes. */
export function workerFoldersOf(storage: string): readonly string[] {
  return [journalsFolderOf(storage), ...inPlaceFoldersOf(storage)];
}

/** The file of the state folder that keeps whether the last SANITIZE of the unit with this NAA identifier completed. */
export function sanitizeFileOf(storage: string, naa: string): string {
  return join(sanitizeFolderOf(storage), `${naa.toLowerCase()}.json`);
}

/** The socket of the state folder at which the server that runs on a storage folder takes requests. */
export function controlSocketOf(storage: string): string {
  return join(stateFolderOf(storage), "control");
}

/** The file of the state folder that keeps space for a server that starts on a full file system. */
export function reserveFileOf(storage: string): string {
  return join(stateFolderOf(storage), "reserve");
}

/** The file of the state folder that remembers what the backing files took in the last days. */
export function growthFileOf(storage: string): string {
  return join(stateFolderOf(storage), "growth.json");
}
