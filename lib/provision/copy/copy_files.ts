import { join } from "@std/path";
import { chunksOf } from "../../store/copy_before_write.ts";
import { entriesOf, removeFolder } from "../folders.ts";
import { ProvisionError, reasonOf } from "../provision_error.ts";
import { workerLinksOf } from "../state_folder.ts";
import { isTemporary, removeIfLeft } from "./temporary_file.ts";

/** The names of the files, in the folder in which the worker may write. */
const NAME = /^copy-[0-9]+\.(?:keep|map)$/;

const FILE_MODE = 0o600;

/** The files that the copy of a LUN shares with the worker, in the folder of its links, to which it has rights. */
export interface CopyFiles {
  readonly keep: string;
  readonly map: string;
}

/**
 * Makes the files of a copy.
 *
 * @param temporary the file that becomes the copy and keeps the old blocks; null to make a file for these
 * @throws {ProvisionError} when they cannot be made
 */
export function makeCopyFiles(
  place: string,
  copy: number,
  { sizeBytes, temporary }: { readonly sizeBytes: number; readonly temporary: string | null },
): CopyFiles {
  const folder = workerLinksOf(place, { readOnly: false });
  const files = { keep: join(folder, `copy-${copy}.keep`), map: join(folder, `copy-${copy}.map`) };
  try {
    makeFile(files.map, chunksOf(sizeBytes));
    if (temporary === null) makeFile(files.keep, sizeBytes);
    else Deno.symlinkSync(Deno.realPathSync(temporary), files.keep);
    return files;
  } catch (error) {
    removeCopyFiles(files);
    throw new ProvisionError(`Cannot create the files of a copy in "${folder}": ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** Removes the files of a copy, but not the file that becomes the copy. */
export function removeCopyFiles({ keep, map }: CopyFiles): void {
  for (const path of [keep, map]) removeFolder(path);
}

/** Removes the files of copies of former servers, and their copies that are not complete. */
export function removeFormerCopies(place: string): void {
  const folder = workerLinksOf(place, { readOnly: false });
  for (const name of entriesOf(folder).filter((name) => NAME.test(name))) {
    const path = join(folder, name);
    const temporary = linkedFile(path);
    if (temporary !== undefined) removeIfLeft(temporary);
    removeFolder(path);
  }
}

/**
 * Asserts that a path is that of a file that a command has made for a copy.
 *
 * @throws {Error} when it is not
 */
export function assertTemporary(path: string, sizeBytes: number): void {
  const info = isTemporary(path) && path.startsWith("/") ? Deno.lstatSync(path) : undefined;
  if (info?.isFile === true && info.size === sizeBytes) return;
  throw new Error(`"${path}" is not an empty file for a copy of ${sizeBytes} bytes`);
}

function makeFile(path: string, sizeBytes: number): void {
  using file = Deno.openSync(path, { write: true, createNew: true, mode: FILE_MODE });
  file.truncateSync(sizeBytes);
}

function linkedFile(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return undefined;
  }
}
