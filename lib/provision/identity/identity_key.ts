import { isAbsolute, join, relative } from "@std/path";
import { isInside } from "../is_inside.ts";

/** The storage folder: its path in the conf, and the path with every symbolic link resolved. */
interface StorageFolder {
  readonly path: string;
  readonly realPath: string;
}

/**
 * Returns the key of a backing path among the recorded identities. For a path in the storage folder, under either name
 * of the folder, it is relative, so the folder can move to another place or machine. Otherwise it is the absolute path.
 */
export function identityKey(storage: StorageFolder, path: string): string {
  const folder = [storage.path, storage.realPath].find((folder) => isInside(folder, path));
  return folder === undefined ? path : relative(folder, path);
}

/** Returns the path that a key stands for. */
export function pathOfKey(storage: string, key: string): string {
  return isAbsolute(key) ? key : join(storage, key);
}
