import { dirname } from "@std/path";
import type { LogicalUnitConfig } from "../config/config.ts";
import { isInside } from "./is_inside.ts";
import { fileKey } from "./own_files.ts";
import type { Place, Survey } from "./survey.ts";

/** The logical units that have no folder, by where their paths lead. */
export type UnitsByPlace = ReadonlyMap<string, LogicalUnitConfig>;

/** Finds where the paths of logical units lead; of two that lead to one place, the first has it. */
export function unitsByPlace(units: readonly LogicalUnitConfig[], { places }: Survey): UnitsByPlace {
  const found = new Map<string, LogicalUnitConfig>();
  for (const unit of units) {
    const { entry, realPath } = places.get(unit.path)!;
    if (entry.kind !== "folder" && !found.has(realPath)) found.set(realPath, unit);
  }
  return found;
}

/**
 * Why a path cannot be a file: because it is, or lies in, something that belongs to somebody else. The conf has been
 * checked for that as it is written; links can make it so all the same.
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
    return `${use}: "${stateFolder.realPath}" is for the program's own files; set "file" to another path`;
  }
  for (let folder = dirname(realPath); folder !== dirname(folder); folder = dirname(folder)) {
    const above = units.get(folder);
    if (above === undefined) continue;
    return `${use}: "${above.path}" of line ${above.line} is a file, not a folder; set "file" to another path`;
  }
  return undefined;
}

/** Finds out that a path leads to a file that this program needs for something else. */
export function findOwnFile(unit: LogicalUnitConfig, { ownFiles, places }: Survey): string | undefined {
  const { path, entry } = places.get(unit.path)!;
  const what = entry.kind === "file" ? ownFiles.get(fileKey(entry)) : undefined;
  return what && `Cannot use "${path}" as a backing file: it is ${what}; set "file" to another path`;
}

/** What logical units have, by what tells it from all else. */
export class Holders {
  readonly #holders = new Map<string, LogicalUnitConfig>();
  readonly #survey: Survey;

  constructor(survey: Survey) {
    this.#survey = survey;
  }

  /** Takes what a path leads to; or says why that cannot be: it is what another one leads to. */
  take(unit: LogicalUnitConfig): string | undefined {
    const identification = identify(this.#survey.places.get(unit.path)!);
    const other = this.#holders.get(identification);
    if (other === undefined) return void this.#holders.set(identification, unit);
    return `Cannot use "${unit.path}" as a backing file: it is the same file as "${other.path}" of line ` +
      `${other.line}, and two LUNs on one file destroy each other's data; set "file" to another path`;
  }
}

/** What two paths have in common that lead to one thing: hard links share an inode; what is missing has its path. */
function identify({ entry, realPath }: Place): string {
  switch (entry.kind) {
    case "file":
      return `inode ${fileKey(entry)}`;
    case "blockDevice":
      return `device ${entry.major}:${entry.minor}`;
    default:
      return realPath;
  }
}
