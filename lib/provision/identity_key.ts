import { isAbsolute, join, relative } from "@std/path";
import { isInside } from "./is_inside.ts";

/** The storage folder, as the conf names it and as it is when every symbolic link is followed. */
interface StorageFolder {
  readonly path: string;
  readonly realPath: string;
}

/**
 * The key under which the identity of a backing path is recorded: relative to the storage folder when the path lies
 * in it, be it by the folder's real name, so that the folder can move to another place or machine; otherwise the
 * absolute path.
 */
export function identityKey(storage: StorageFolder, path: string): string {
  const folder = [storage.path, storage.realPath].find((folder) => isInside(folder, path));
  return folder === undefined ? path : relative(folder, path);
}

/** The path whose identity is recorded under a key. */
export function pathOfKey(storage: string, key: string): string {
  return isAbsolute(key) ? key : join(storage, key);
}
