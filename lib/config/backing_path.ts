import { isAbsolute, join, resolve } from "@std/path";
import { quote } from "./diagnostics.ts";

/** Name of the folder in `storage` that holds what the program must remember about its LUNs. */
export const STATE_FOLDER = ".iscsi";

/** Most bytes of each part of a path, so that a LUN's number still fits into the 255 that file systems grant. */
const PART_BYTES_MAX = 250;

/** An absolute path, or what is wrong with the file's name and how to mend it. */
export type BackingPath =
  | { readonly path: string; readonly problem: undefined }
  | { readonly path: undefined; readonly problem: string };

/** The path of the backing file that the conf names `file`; `storage` is absolute and normalized. */
export function backingPath(file: string, storage: string): BackingPath {
  const path = resolve(storage, file);
  const state = join(storage, STATE_FOLDER);
  if (isWithin(path, storage)) return problem(`${quote(path)} is a folder; write the name of a file`);
  if (isWithin(state, path)) {
    return problem(`${quote(state)} is for the program's own files; choose another name`);
  }
  if (!isAbsolute(file) && !isWithin(storage, path)) {
    return problem(`it is not in ${quote(storage)}; write its absolute path, ${quote(path)}`);
  }
  if (path.split("/").some((part) => new TextEncoder().encode(part).length > PART_BYTES_MAX)) {
    return problem(`a part of it is longer than ${PART_BYTES_MAX} bytes; shorten it`);
  }
  return { path, problem: undefined };
}

/** Whether `path` is `folder` or lies in it. */
function isWithin(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}

function problem(text: string): BackingPath {
  return { path: undefined, problem: text };
}
