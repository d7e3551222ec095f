import { dirname, join } from "@std/path";
import { defaultOf } from "../config/read_options.ts";
import { type Identities, parseIdentities } from "./identity/identities.ts";
import type { RecordedIdentity } from "./identity/recorded_identity.ts";
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

/** Finds the storage folders that this one may have replaced. */
export function findFormerStorages(storage: string): FormerStorage[] {
  return nearFolders(storage).flatMap((path) => {
    const files = recordedFiles(path).map(([key]) => key);
    return files.length === 0 ? [] : [{ path, files }];
  });
}

/**
 * Finds the storage folders whose disks have identities of this one: one is a copy of the other. It waits for folders
 * that hang, such as those of a network, and blocks nothing else.
 */
export async function findTwinStorages(storage: string): Promise<FormerStorage[]> {
  const naas = new Set([...(await identitiesIn(storage)).values()].map(({ naa }) => naa.toLowerCase()));
  if (naas.size === 0) return [];
  const own = await realPathOf(storage);
  const twins: FormerStorage[] = [];
  for (const path of nearFolders(storage)) {
    const shared = [...await identitiesIn(path)].filter(([, { naa }]) => naas.has(naa.toLowerCase()));
    if (shared.length === 0 || await realPathOf(path) === own) continue;
    const isThere = await Promise.all(shared.map(([key]) => isFileLater(pathOfKey(path, key))));
    const files = shared.flatMap(([key], index) => isThere[index] ? [key] : []);
    if (files.length > 0) twins.push({ path, files });
  }
  return twins;
}

/** Returns the recorded identities of a storage folder; none when they cannot be read. */
async function identitiesIn(storage: string): Promise<Identities> {
  try {
    const file = identitiesFileOf(storage);
    // Reading a named pipe would block.
    return await isFileLater(file) ? parseIdentities(await Deno.readTextFile(file)) : new Map();
  } catch {
    return new Map();
  }
}

async function isFileLater(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

/** Returns the folders beside, above and in a storage folder, and the default one. */
function nearFolders(storage: string): string[] {
  const parent = dirname(storage);
  const near = FOLDERS_OF_MOUNTS.includes(parent) ? [] : [parent, ...foldersIn(parent)];
  const folders = new Set([...near, ...foldersIn(storage), defaultOf("storage")]);
  folders.delete(storage);
  return [...folders];
}

async function realPathOf(path: string): Promise<string | undefined> {
  try {
    return await Deno.realPath(path);
  } catch {
    return undefined;
  }
}

function foldersIn(folder: string): string[] {
  try {
    return Deno.readDirSync(folder).filter(({ isDirectory, name }) => isDirectory && name !== STATE_FOLDER)
      .take(FOLDERS_MAX).map(({ name }) => join(folder, name)).toArray();
  } catch {
    return [];
  }
}

/** Returns the existing files of a storage folder with their recorded identities, by key. */
function recordedFiles(storage: string): [string, RecordedIdentity][] {
  try {
    const file = identitiesFileOf(storage);
    // Reading a named pipe would block.
    if (!isFile(file)) return [];
    const identities = parseIdentities(Deno.readTextFileSync(file));
    return [...identities].filter(([key]) => isFile(pathOfKey(storage, key)));
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
