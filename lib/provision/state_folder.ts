import { join } from "@std/path";
import { STATE_FOLDER } from "../config/backing_path.ts";
import { entriesOf } from "./folders.ts";

/** Returns the state folder: the folder beside the backing files for this program's state. */
export function stateFolderOf(storage: string): string {
  return join(storage, STATE_FOLDER);
}

/** Returns the folder for the helper programs of each run of the server. */
export function helpersFolderOf(storage: string): string {
  return join(stateFolderOf(storage), "helpers");
}

/** The names of the folders in the state folder that belong to one target worker each. */
const PLACE_NAME = /^port-[0-9]{1,5}$/;

/**
 * Returns the folder in which a target worker may keep state: the state folder itself, or the one of a port when
 * another worker has the former.
 */
export function workerPlaceOf(storage: string, port?: number): string {
  const state = stateFolderOf(storage);
  return port === undefined ? state : join(state, `port-${port}`);
}

/** Returns the folders of all target workers that have served the storage folder. */
export function workerPlacesOf(storage: string): string[] {
  const state = stateFolderOf(storage);
  return [
    state,
    ...entriesOf(state).filter((name) => PLACE_NAME.test(name)).map((name) => join(state, name)),
  ];
}

/** Returns a worker's folder of the links to backing files and the nodes of block devices. */
export function linksFolderOf(place: string): string {
  return join(place, "links");
}

/** Returns the part of the links folder whose files the target worker may only read, or may read and write. */
export function workerLinksOf(place: string, { readOnly }: { readonly readOnly: boolean }): string {
  return join(linksFolderOf(place), readOnly ? "read-only" : "read-write");
}

/** Returns the folder of the journals of atomic writes. */
export function journalsFolderOf(place: string): string {
  return join(place, "journals");
}

/** Returns the file of the recorded identities. */
export function identitiesFileOf(storage: string): string {
  return join(stateFolderOf(storage), "identities.json");
}

/** Returns the file of the conf that was made live last. */
export function liveConfFileOf(storage: string): string {
  return join(stateFolderOf(storage), "live.json");
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
export function atomicJournalOf(place: string, naa: string): string {
  return join(journalsFolderOf(place), `atomic-${naa.toLowerCase()}.journal`);
}

/** Returns the folder of the persistent reservations. */
function reservationsFolderOf(place: string): string {
  return join(place, "reservations");
}

/** Returns the file of the persistent reservations of the logical unit with this NAA identifier. */
export function reservationsFileOf(place: string, naa: string): string {
  return join(reservationsFolderOf(place), `${naa.toLowerCase()}.json`);
}

/** Returns the folder of the states of SANITIZE. */
function sanitizeFolderOf(place: string): string {
  return join(place, "sanitize");
}

/** Returns the folders of files that a target worker writes in place, also on a full file system. */
export function inPlaceFoldersOf(place: string): readonly string[] {
  return [reservationsFolderOf(place), sanitizeFolderOf(place)];
}

/** Returns all folders of state that a target worker reads and writes. */
export function workerFoldersOf(place: string): readonly string[] {
  return [journalsFolderOf(place), ...inPlaceFoldersOf(place)];
}

/** Returns the file with the outcome of the last SANITIZE of the logical unit with this NAA identifier. */
export function sanitizeFileOf(place: string, naa: string): string {
  return join(sanitizeFolderOf(place), `${naa.toLowerCase()}.json`);
}

/** A file of a logical unit's state: its journal or the copy that is kept, its reservations, or its last SANITIZE. */
const UNIT_STATE = /^(?:atomic-)?([0-9a-f]{16})\.(?:journal(?:\.kept)?|json)$/;

/** Returns the NAA identifier of the logical unit to whose state a file belongs; undefined for other names. */
export function unitOfState(name: string): string | undefined {
  return UNIT_STATE.exec(name)?.[1];
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
