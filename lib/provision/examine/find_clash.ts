import { dirname } from "@std/path";
import type { LogicalUnitConfig } from "../../config/config.ts";
import { deviceKey, inodeKey } from "../device_storage.ts";
import { isInside } from "../is_inside.ts";
import { fileKey } from "../own_files.ts";
import type { Place, Survey } from "../survey.ts";

/** The logical units whose paths are not folders, by real path. */
export type UnitsByPlace = ReadonlyMap<string, LogicalUnitConfig>;

/** Returns logical units by real path; of two with the same real path, the first. */
export function unitsByPlace(units: readonly LogicalUnitConfig[], { places }: Survey): UnitsByPlace {
  const found = new Map<string, LogicalUnitConfig>();
  for (const unit of units) {
    const { entry, realPath } = places.get(unit.path)!;
    if (entry.kind !== "folder" && !found.has(realPath)) found.set(realPath, unit);
  }
  return found;
}

/**
 * Finds a path that is, or lies in, the storage folder, the state folder or another unit's file. `parseConfig` checks
 * the paths as they are written; this checks them with symbolic links resolved.
 */
export function findFolderClash(
  unit: LogicalUnitConfig,
  units: UnitsByPlace,
  { storage, stateFolder, places }: Survey,
): string | undefined {
  const { path, realPath } = places.get(unit.path)!;
  const use = `Cannot use "${path}" as a backing file`;
  if (realPath === storage.realPath || isInside(realPath, storage.realPath)) {
    return `${use}: the storage folder is "${storage.realPath}"; set "file" to the path of a file`;
  }
  if (realPath === stateFolder.realPath || isInside(stateFolder.realPath, realPath)) {
    return `${use}: "${stateFolder.realPath}" is reserved for this program; set "file" to another path`;
  }
  for (let folder = dirname(realPath); folder !== dirname(folder); folder = dirname(folder)) {
    const above = units.get(folder);
    if (above === undefined) continue;
    return `${use}: "${above.path}" of line ${above.line} is a file, not a folder; set "file" to another path`;
  }
  return undefined;
}

/** Finds a path that leads to one of this program's own files. */
export function findOwnFile(unit: LogicalUnitConfig, { ownFiles, places }: Survey): string | undefined {
  const { path, entry } = places.get(unit.path)!;
  const purpose = entry.kind === "file" ? ownFiles.get(fileKey(entry)) : undefined;
  return purpose && `Cannot use "${path}" as a backing file: it is ${purpose}; set "file" to another path`;
}

/** The storage of a logical unit: keys of its file or device, and of all that this lies on. */
interface Storage {
  readonly keys: readonly string[];
  readonly belowKeys: readonly string[];
}

/** The logical units that use each file or device, as a whole or in part. */
export class BackingOwners {
  /** By the keys of their files and devices. */
  readonly #owners = new Map<string, LogicalUnitConfig>();
  /** By the keys of all that their devices lie on. */
  readonly #users = new Map<string, LogicalUnitConfig>();
  readonly #survey: Survey;

  constructor(survey: Survey) {
    this.#survey = survey;
  }

  /** Claims the storage of a unit; returns the problem when another unit has claimed it, or a part of it. */
  claim(unit: LogicalUnitConfig): string | undefined {
    const storage = storageOf(this.#survey.places.get(unit.path)!);
    const same = findOwner(this.#owners, storage.keys);
    const other = same ?? findOwner(this.#users, storage.keys) ?? findOwner(this.#owners, storage.belowKeys);
    if (other === undefined) {
      for (const key of storage.keys) this.#owners.set(key, unit);
      for (const key of storage.belowKeys) this.#users.set(key, unit);
      return undefined;
    }
    const isDevice = storage.belowKeys.length > 0 || storage.keys.some((key) => key.startsWith("device "));
    const use = isDevice
      ? `Cannot use block device "${unit.path}"`
      : `Cannot use "${unit.path}" as a backing file`;
    if (same !== undefined) {
      const what = isDevice ? "device" : "file";
      return `${use}: it is the same ${what} as "${other.path}" of line ${other.line}, and two LUNs on one ${what} ` +
        'destroy each other\'s data; set "file" to another path';
    }
    return `${use}: it and "${other.path}" of line ${other.line} have blocks in common, ` +
      `and two LUNs on one block destroy each other's data; set "file" to another path`;
  }
}

function findOwner(
  owners: ReadonlyMap<string, LogicalUnitConfig>,
  keys: readonly string[],
): LogicalUnitConfig | undefined {
  return keys.map((key) => owners.get(key)).find((owner) => owner !== undefined);
}

/** Returns keys that all paths of one file or device share: its inode or number; of a missing file, the real path. */
function storageOf({ entry, realPath }: Place): Storage {
  switch (entry.kind) {
    case "file":
      return { keys: [inodeKey(fileKey(entry))], belowKeys: [] };
    case "blockDevice": {
      const { major, minor, keys, belowKeys } = entry;
      return { keys: [deviceKey(`${major}:${minor}`), ...keys], belowKeys };
    }
    default:
      return { keys: [realPath], belowKeys: [] };
  }
}
