import type { Config, LogicalUnitConfig } from "../config/config.ts";
import { type Backing, examineBacking } from "./examine_backing.ts";
import { findFolderClash, Holders, unitsByPlace } from "./find_clash.ts";
import { findFolderProblem, findIdentitiesProblem } from "./find_storage_problem.ts";
import { isInside } from "./is_inside.ts";
import type { Survey } from "./survey.ts";

/** Something that keeps the conf from being put into practice. */
export interface Problem {
  /** Line of the conf. */
  readonly line: number;
  readonly message: string;
  /** The logical unit that it is a problem of; undefined for one of all of them. */
  readonly unit?: LogicalUnitConfig;
}

/** What the paths of a conf are good for. */
export interface Examination {
  readonly problems: readonly Problem[];
  /** The logical units without a problem, in the order of the conf. */
  readonly backings: ReadonlyMap<LogicalUnitConfig, Backing>;
}

/** Where global options such as `storage` stand, or would stand if they did not have their defaults. */
const GLOBALS_LINE = 1;

/** Finds everything that is wrong with the paths of a conf. */
export function examine(config: Config, survey: Survey): Examination {
  const units = config.targets.flatMap((target) => target.logicalUnits);
  const problems: Problem[] = [];
  const backings = new Map<LogicalUnitConfig, Backing>();
  const folderProblem = findFolderProblem(survey);
  for (const message of [folderProblem, findIdentitiesProblem(survey)]) {
    if (message !== undefined) problems.push({ line: GLOBALS_LINE, message });
  }
  const readOnlyUnits = new Set(
    config.targets.filter((target) => target.readOnly).flatMap((target) => target.logicalUnits),
  );
  const byPlace = unitsByPlace(units, survey);
  const holders = new Holders(survey);
  for (const unit of units) {
    // What is wrong with the storage folder is wrong with everything in it, and is said once.
    if (folderProblem !== undefined && isInside(survey.storage.path, unit.path)) continue;
    const readOnly = readOnlyUnits.has(unit);
    const backing = examineBacking({
      unit,
      readOnly,
      storage: survey.storage,
      place: survey.places.get(unit.path)!,
    });
    const message = findFolderClash(unit, byPlace, survey) ??
      (typeof backing === "string" ? backing : holders.take(unit));
    if (message !== undefined) problems.push({ line: unit.line, message, unit });
    else if (typeof backing !== "string") backings.set(unit, backing);
  }
  return { problems, backings };
}
