import { join } from "@std/path";
import { STATE_FOLDER } from "../config/backing_path.ts";

/** The folder beside the backing files in which this program keeps what it must remember about them. */
export function stateFolderOf(storage: string): string {
  return join(storage, STATE_FOLDER);
}

/** The folder of the state folder that holds the nodes of block devices while they are served. */
export function devicesFolderOf(storage: string): string {
  return join(stateFolderOf(storage), "devices");
}

/** The folder of the state folder that holds links to backing files which the target worker has no right to by name. */
export function linksFolderOf(storage: string): string {
  return join(stateFolderOf(storage), "links");
}

/** The folder of the state folder by which the files of one run of the server are reached to make holes in them. */
export function holesFolderOf(storage: string): string {
  return join(stateFolderOf(storage), "holes");
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
  return join(stateFolderOf(storage), `atomic-${naa.toLowerCase()}.journal`);
}

/** The folder of the state folder that holds the persistent reservations. */
export function reservationsFolderOf(storage: string): string {
  return join(stateFolderOf(storage), "reservations");
}

/** The file of the state folder that keeps the persistent reservations of the logical unit with this NAA identifier. */
export function reservationsFileOf(storage: string, naa: string): string {
  return join(reservationsFolderOf(storage), `${naa.toLowerCase()}.json`);
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
