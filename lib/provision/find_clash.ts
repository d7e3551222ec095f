import type { LogicalUnitConfig } from "../config/config.ts";
import { isInside } from "./is_inside.ts";
import type { Place, Survey } from "./survey.ts";

/**
 * Why a path cannot be a file: because it is, or lies in, something that belongs to somebody else. The conf has been
 * checked for that as it is written; links can make it so all the same.
 */
export function findFolderClash(
  unit: LogicalUnitConfig,
  units: readonly LogicalUnitConfig[],
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
  const above = units.find((other) => {
    const place = places.get(other.path)!;
    return place.entry.kind !== "folder" && isInside(place.realPath, realPath);
  });
  if (above === undefined) return undefined;
  return `${use}: "${above.path}" of line ${above.line} is a file, not a folder; set "file" to another path`;
}

/** Why a path cannot be used in addition to `others`: because it leads to the same thing as one of them. */
export function findDuplicate(
  unit: LogicalUnitConfig,
  others: Iterable<LogicalUnitConfig>,
  survey: Survey,
): string | undefined {
  const identification = identify(survey.places.get(unit.path)!);
  for (const other of others) {
    if (identify(survey.places.get(other.path)!) !== identification) continue;
    return `Cannot use "${unit.path}" as a backing file: it is the same file as "${other.path}" of line ` +
      `${other.line}, and two LUNs on one file destroy each other's data; set "file" to another path`;
  }
  return undefined;
}

/** What two paths have in common that lead to one thing: hard links share an inode; what is missing has its path. */
function identify({ entry, realPath }: Place): string {
  switch (entry.kind) {
    case "file":
      return `inode ${entry.device}:${entry.inode}`;
    case "blockDevice":
      return `device ${entry.major}:${entry.minor}`;
    default:
      return realPath;
  }
}
