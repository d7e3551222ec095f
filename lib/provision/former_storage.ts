import { dirname, join } from "@std/path";
import { defaultOf } from "../config/read_options.ts";
import { parseIdentities } from "./identity/identities.ts";
import { pathOfKey } from "./identity/identity_key.ts";
import { STATE_FOLDER } from "../config/backing_path.ts";
import { identitiesFileOf } from "./state_folder.ts";

/** A storage folder that is not the one of the conf, and its disks. */
export interface FormerStorage {
  readonly path: string;
  /** The existing files with a recorded identity, by key. */
  readonly files: readonly string[];
}

/** The most folders in one that are looked at. */
const FOLDERS_MAX = 1000;

/** Folders of mount points, some of them automatic. To look into one may take long, or mount it. */
const FOLDERS_OF_MOUNTS = ["/", "/home", "/media", "/misc", "/mnt", "/net", "/run"];

/** Finds the storage folders that this one may have replaced: those beside, above and in it, and the default one. */
export function findFormerStorages(storage: string): FormerStorage[] {
  const parent = dirname(storage);
  const near = FOLDERS_OF_MOUNTS.includes(parent) ? [] : [parent, ...foldersIn(parent)];
  const folders = new Set([...near, ...foldersIn(storage), defaultOf("storage")]);
  folders.delete(storage);
  return [...folders].flatMap((path) => {
    const files = recordedFiles(path);
    return files.length === 0 ? [] : [{ path, files }];
  });
}

function foldersIn(folder: string): string[] {
  try {
    return Deno.readDirSync(folder).filter(({ isDirectory, name }) => isDirectory && name !== STATE_FOLDER)
      .take(FOLDERS_MAX).map(({ name }) => join(folder, name)).toArray();
  } catch {
    return [];
  }
}

function recordedFiles(storage: string): string[] {
  try {
    const file = identitiesFileOf(storage);
    // Reading a named pipe would block.
    if (!isFile(file)) return [];
    const keys = parseIdentities(Deno.readTextFileSync(file)).keys();
    return [...keys].filter((key) => isFile(pathOfKey(storage, key)));
  } catch {
    return [];
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
