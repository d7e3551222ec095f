import { dirname } from "@std/path";
import type { LogicalUnitConfig } from "../../config/config.ts";
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

/** The logical unit that owns each file or device. */
export class BackingOwners {
  readonly #owners = new Map<string, LogicalUnitConfig>();
  /** The logical unit whose device contains each part. */
  readonly #wholes = new Map<string, LogicalUnitConfig>();
  readonly #survey: Survey;

  constructor(survey: Survey) {
    this.#survey = survey;
  }

  /** Claims the file or device of a unit; returns the problem when another unit has claimed it, or a part of it. */
  claim(unit: LogicalUnitConfig): string | undefined {
    const place = this.#survey.places.get(unit.path)!;
    const key = identify(place);
    const other = this.#owners.get(key);
    if (other === undefined) {
      this.#owners.set(key, unit);
      return this.#claimParts(unit, place);
    }
    return `Cannot use "${unit.path}" as a backing file: it is the same file as "${other.path}" of line ` +
      `${other.line}, and two LUNs on one file destroy each other's data; set "file" to another path`;
  }

  /** Claims the partitions and volumes on a device, and the devices that they are on. */
  #claimParts(unit: LogicalUnitConfig, { entry }: Place): string | undefined {
    if (entry.kind !== "blockDevice") return undefined;
    const { major, minor, parts } = entry;
    const keys = parts.map(deviceKey);
    const other = this.#wholes.get(deviceKey(`${major}:${minor}`)) ??
      keys.map((key) => this.#owners.get(key)).find((owner) => owner !== undefined);
    for (const key of keys) this.#wholes.set(key, unit);
    return other &&
      `Cannot use block device "${unit.path}": it and "${other.path}" of line ${other.line} have blocks in common, ` +
        "and two LUNs on one block destroy each other's data; use another device";
  }
}

/** Returns the key of a device. */
function deviceKey(number: string): string {
  return `device ${number}`;
}

/** Returns a key that all paths of one file or device share: its inode or number; of a missing file, the real path. */
function identify({ entry, realPath }: Place): string {
  switch (entry.kind) {
    case "file":
      return `inode ${fileKey(entry)}`;
    case "blockDevice":
      return deviceKey(`${entry.major}:${entry.minor}`);
    default:
      return realPath;
  }
}
