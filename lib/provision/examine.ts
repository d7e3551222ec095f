import type { Config, LogicalUnitConfig } from "../config/config.ts";
import type { Backing, Candidate, Refusal } from "./backing.ts";
import { examineBacking } from "./examine_backing.ts";
import { findFolderClash, findOwnFile, Holders, type UnitsByPlace, unitsByPlace } from "./find_clash.ts";
import { findFolderProblem, findIdentitiesProblem } from "./find_storage_problem.ts";
import { identityKey } from "./identity_key.ts";
import { isInside } from "./is_inside.ts";
import type { Survey } from "./survey.ts";

/** Something that keeps the conf from being put into practice. */
export interface Problem {
  /** Line of the conf. */
  readonly line: number;
  readonly message: string;
  /** The logical unit that it is a problem of; undefined for one of all of them. */
  readonly unit?: LogicalUnitConfig;
  /** A path does not lead to the disk that the conf means. */
  readonly isMistaken?: true;
}

/** How to examine. */
export interface ExamineOptions {
  /** The user insists on what is refused otherwise. */
  readonly force?: boolean;
}

/** What the paths of a conf are good for. */
export interface Examination {
  readonly problems: readonly Problem[];
  /** What would be a problem if the user did not insist. */
  readonly warnings: readonly Problem[];
  /** The logical units without a problem, in the order of the conf. */
  readonly backings: ReadonlyMap<LogicalUnitConfig, Backing>;
}

/** Where global options such as `storage` stand, or would stand if they did not have their defaults. */
const GLOBALS_LINE = 1;

/** Finds everything that is wrong with the paths of a conf. */
export function examine(config: Config, survey: Survey, { force = false }: ExamineOptions = {}): Examination {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const backings = new Map<LogicalUnitConfig, Backing>();
  const folderProblem = findFolderProblem(survey);
  for (const message of [folderProblem, findIdentitiesProblem(survey)]) {
    if (message !== undefined) problems.push({ line: GLOBALS_LINE, message });
  }
  const candidates = candidatesOf(config, survey);
  const byPlace = unitsByPlace(candidates.map(({ unit }) => unit), survey);
  const holders = new Holders(survey);
  for (const candidate of candidates) {
    const { unit, unit: { line } } = candidate;
    // What is wrong with the storage folder is wrong with everything in it, and is said once.
    if (folderProblem !== undefined && isInside(survey.storage.path, unit.path)) continue;
    const judgement = decide(candidate, survey, { byPlace, holders });
    if ("state" in judgement) {
      backings.set(unit, judgement);
    } else if (force && judgement.forced !== undefined) {
      backings.set(unit, judgement.forced.backing);
      warnings.push({ line, message: judgement.forced.consequence });
    } else {
      const { problem: message, isMistaken } = judgement;
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

function decide(
  candidate: Candidate,
  survey: Survey,
  { byPlace, holders }: { readonly byPlace: UnitsByPlace; readonly holders: Holders },
): Backing | Refusal {
  const { unit } = candidate;
  const clash = findFolderClash(unit, byPlace, survey);
  if (clash !== undefined) return { problem: clash };
  const ownFile = findOwnFile(unit, survey);
  if (ownFile !== undefined) return { problem: ownFile, isMistaken: true };
  const judgement = examineBacking(candidate);
  const isOfUse = "state" in judgement || judgement.forced !== undefined;
  const problem = isOfUse ? holders.take(unit) : undefined;
  return problem === undefined ? judgement : { problem };
}
