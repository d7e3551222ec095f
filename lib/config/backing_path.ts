import { isAbsolute, join, resolve } from "@std/path";
import { quote } from "./diagnostics.ts";

/** The name of the folder in `storage` that holds the state of the LUNs. */
export const STATE_FOLDER = ".iscsi";

/** The most bytes of each part of a path. File systems allow 255, and the LUN's number is appended. */
const PART_BYTES_MAX = 250;

/** An absolute path, or the problem with the file's name and its remedy. */
export type BackingPath =
  | { readonly path: string; readonly problem: undefined }
  | { readonly path: undefined; readonly problem: string };

/** Returns the path of the backing file that the conf names `file`; `storage` is absolute and normalized. */
export function backingPath(file: string, storage: string): BackingPath {
  const path = resolve(storage, file);
  const state = join(storage, STATE_FOLDER);
  if (isWithin(path, storage)) return problem(`${quote(path)} is a folder; write the name of a file`);
  if (isWithin(state, path)) {
    return problem(`${quote(state)} is reserved for this program; choose another name`);
  }
  if (!isAbsolute(file) && !isWithin(storage, path)) {
    return problem(`it is not in ${quote(storage)}; write its absolute path, ${quote(path)}`);
  }
  if (path.split("/").some((part) => new TextEncoder().encode(part).length > PART_BYTES_MAX)) {
    return problem(`a part of it is longer than ${PART_BYTES_MAX} bytes; shorten it`);
  }
  return { path, problem: undefined };
}

/** Reports whether `path` is `folder` or lies in it. */
function isWithin(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}

function problem(text: string): BackingPath {
  return { path: undefined, problem: text };
}
