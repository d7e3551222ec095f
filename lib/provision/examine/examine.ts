import type { Config, LogicalUnitConfig } from "../../config/config.ts";
import type { Backing, Candidate, Refusal } from "./backing.ts";
import { examineBacking } from "./examine_backing.ts";
import {
  BackingOwners,
  findFolderClash,
  findOwnFile,
  type UnitsByPlace,
  unitsByPlace,
} from "./find_clash.ts";
import { findFolderProblem, findIdentitiesProblem, findMisplacedStorage } from "./find_storage_problem.ts";
import { findSharedIdentities } from "./find_shared_identities.ts";
import { identityKey } from "../identity/identity_key.ts";
import { isInside } from "../is_inside.ts";
import type { Survey } from "../survey.ts";

/** A problem that prevents building or serving the conf. */
export interface Problem {
  /** Line of the conf. */
  readonly line: number;
  readonly message: string;
  /** The logical unit with the problem; undefined for a problem of all. */
  readonly unit?: LogicalUnitConfig;
  /** A path does not lead to the disk that the conf means. */
  readonly isMistaken?: true;
  /** Initiators would take the unit for another one, so it must not be listed. */
  readonly isTwin?: true;
}

/** Options of `examine`. */
export interface ExamineOptions {
  /** Turns the problems that can be overridden into warnings. */
  readonly force?: boolean;
}

/** The backings of a conf's logical units, and the problems with their paths. */
export interface Examination {
  readonly problems: readonly Problem[];
  /** The problems that `force` has overridden. */
  readonly warnings: readonly Problem[];
  /** The logical units without a problem, in the order of the conf. */
  readonly backings: ReadonlyMap<LogicalUnitConfig, Backing>;
}

/** The line for problems with global options such as `storage`. */
export const GLOBALS_LINE = 1;

/** Examines the paths of a conf, and finds every problem with them. */
export function examine(config: Config, survey: Survey, { force = false }: ExamineOptions = {}): Examination {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const backings = new Map<LogicalUnitConfig, Backing>();
  const folderProblem = findFolderProblem(survey);
  for (const message of [folderProblem, findIdentitiesProblem(survey)]) {
    if (message !== undefined) problems.push({ line: GLOBALS_LINE, message });
  }
  problems.push(...findSharedIdentities(config, survey));
  const misplaced = findMisplacedStorage(survey);
  if (misplaced !== undefined) problems.push({ line: GLOBALS_LINE, message: misplaced, isMistaken: true });
  const candidates = candidatesOf(config, survey);
  const byPlace = unitsByPlace(candidates.map(({ unit }) => unit), survey);
  const owners = new BackingOwners(survey);
  for (const candidate of candidates) {
    const { unit, unit: { line } } = candidate;
    // A problem with the storage folder is reported once, and not for every file in it.
    if (folderProblem !== undefined && isInside(survey.storage.path, unit.path)) continue;
    const result = examineCandidate(candidate, survey, { byPlace, owners });
    if ("state" in result) {
      backings.set(unit, result);
    } else if (force && result.forced !== undefined) {
      backings.set(unit, result.forced.backing);
      warnings.push({ line, message: result.forced.consequence });
    } else {
      const { problem: message, isMistaken } = result;
      problems.push({ line, message, unit, ...(isMistaken && { isMistaken }) });
    }
  }
  return { problems, warnings, backings };
}

function candidatesOf(config: Config, survey: Survey): Candidate[] {
  const { storage, places, recorded } = survey;
  return config.targets.flatMap(({ readOnly, disk: { blockSizeBytes }, logicalUnits }) =>
    logicalUnits.map((unit) => ({
      unit,
      readOnly,
      blockSizeBytes,
      storage,
      place: places.get(unit.path)!,
      recorded: recorded.kind === "recorded"
        ? recorded.identities.get(identityKey(storage, unit.path))
        : "unknown",
    }))
  );
}

function examineCandidate(
  candidate: Candidate,
  survey: Survey,
  { byPlace, owners }: { readonly byPlace: UnitsByPlace; readonly owners: BackingOwners },
): Backing | Refusal {
  const { unit } = candidate;
  const clash = findFolderClash(unit, byPlace, survey);
  if (clash !== undefined) return { problem: clash };
  const ownFile = findOwnFile(unit, survey);
  if (ownFile !== undefined) return { problem: ownFile, isMistaken: true };
  const result = examineBacking(candidate);
  const isUsable = "state" in result || result.forced !== undefined;
  const problem = isUsable ? owners.claim(unit) : undefined;
  return problem === undefined ? result : { problem, isMistaken: true };
}
