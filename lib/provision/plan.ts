/**
 * The plan of a build: the steps that give every logical unit of a conf its backing file, as a function of the conf and
 * of a survey of the disk.
 *
 * A loss of power after any step does no harm. Identities are recorded before their files exist, files follow in any
 * order, and their completion is recorded when they are on stable storage. A new survey then leads to a plan of the
 * remaining steps.
 */
import { dirname } from "@std/path";
import type { Config, LogicalUnitConfig } from "../config/config.ts";
import type { Diagnostic } from "../config/diagnostic.ts";
import { Diagnostics } from "../config/diagnostics.ts";
import type { Identity } from "../scsi/identity.ts";
import { type Backing, isReplacement } from "./examine/backing.ts";
import { type Examination, examine } from "./examine/examine.ts";
import { findDoubts } from "./guard/guard_rails.ts";
import { identityKey, pathOfKey } from "./identity/identity_key.ts";
import type { Identities } from "./identity/identities.ts";
import { identitiesFileOf } from "./state_folder.ts";
import type { Step } from "./step.ts";
import type { Survey } from "./survey.ts";

/** The steps of a build, or the errors that prevent it. */
export interface Plan {
  /** Empty when there is an error. */
  readonly steps: readonly Step[];
  readonly errors: readonly Diagnostic[];
  readonly warnings: readonly Diagnostic[];
}

/** Options of `plan`, and values that it cannot compute. */
export interface PlanOptions {
  /** Returns a new random identity at each call. */
  readonly makeIdentity: () => Identity;
  /** The time, in ISO 8601. */
  readonly now: string;
  /** Overrides the problems that can be overridden. */
  readonly force?: boolean;
}

/** All users may list the storage folder; the files in it have a stricter mode. */
const FOLDER_MODE = 0o755;
const STATE_FOLDER_MODE = 0o700;
/** The permission bits of everyone but the owner. */
const OTHERS_BITS = 0o077;

/** Plans the build of a conf. */
export function plan(config: Config, survey: Survey, options: PlanOptions): Plan {
  const units = config.targets.flatMap((target) => target.logicalUnits);
  const { problems, warnings, backings } = examine(config, survey, options);
  const doubts = findDoubts(config, survey, options);
  const diagnostics = new Diagnostics(config.file);
  for (const { line, message } of [...problems, ...doubts.errors]) diagnostics.error(line, message);
  for (const { line, message } of [...warnings, ...doubts.warnings]) diagnostics.warning(line, message);
  const all = diagnostics.toArray();
  const identities = planIdentities(backings, survey, options);
  const steps = diagnostics.hasErrors ? [] : [
    ...planFolders(units, survey),
    ...identities.before,
    ...[...backings].map(([unit, backing]) => planBacking(unit, backing, identities.added)),
    ...identities.after,
    ...findUnusedFiles(units, survey),
  ];
  return {
    steps,
    errors: all.filter((diagnostic) => diagnostic.severity === "error"),
    warnings: all.filter((diagnostic) => diagnostic.severity === "warning"),
  };
}

function planFolders(units: readonly LogicalUnitConfig[], survey: Survey): Step[] {
  const { storage, stateFolder } = survey;
  const steps: Step[] = [];
  if (storage.entry.kind === "missing") {
    steps.push({ kind: "createFolder", path: storage.path, mode: FOLDER_MODE });
  }
  if (stateFolder.entry.kind === "missing") {
    steps.push({ kind: "createFolder", path: stateFolder.path, mode: STATE_FOLDER_MODE });
  } else if (stateFolder.entry.kind === "folder" && (stateFolder.entry.mode & OTHERS_BITS) !== 0) {
    steps.push({ kind: "restrictFolder", path: stateFolder.path, mode: STATE_FOLDER_MODE });
  }
  const folders = new Set(
    units.filter((unit) => lacksFolder(unit, survey)).map((unit) => dirname(unit.path)),
  );
  folders.delete(storage.path);
  return [
    ...steps,
    ...[...folders].map((path) => ({ kind: "createFolder", path, mode: FOLDER_MODE } as const)),
  ];
}

function lacksFolder(unit: LogicalUnitConfig, survey: Survey): boolean {
  return survey.places.get(unit.path)!.ancestor.path !== dirname(unit.path);
}

/** Plans the records of identities: before their files are made, and when these are on stable storage. */
function planIdentities(
  backings: Examination["backings"],
  survey: Survey,
  { makeIdentity, now }: PlanOptions,
): { readonly before: readonly Step[]; readonly after: readonly Step[]; readonly added: readonly string[] } {
  const path = identitiesFileOf(survey.storage.path);
  const recorded = recordedIdentities(survey);
  const made = new Map(recorded);
  const [added, files]: [string[], string[]] = [[], []];
  for (const [unit, backing] of backings) {
    const key = identityKey(survey.storage, unit.path);
    if (recorded.has(key) && !isReplacement(backing)) continue;
    const file = backing.state === "device" ? {} : { created: null, sizeBytes: unit.sizeBytes };
    made.set(key, { ...makeIdentity(), ...file });
    added.push(unit.path);
  }
  const confirmed = new Map(made);
  for (const [{ path, sizeBytes, followsDevice }, { state }] of backings) {
    const key = identityKey(survey.storage, path);
    const identity = made.get(key)!;
    const hasRecord = state !== "device" || followsDevice === true;
    if (!hasRecord || (typeof identity.created === "string" && identity.sizeBytes === sizeBytes)) {
      continue;
    }
    confirmed.set(key, { ...identity, created: identity.created ?? now, sizeBytes });
    files.push(path);
  }
  return {
    added,
    before: added.length === 0 ? [] : [{ kind: "recordIdentities", path, identities: made, added }],
    after: files.length === 0 ? [] : [{ kind: "confirmFiles", path, identities: confirmed, files }],
  };
}

/** @param added the paths whose identities are new */
function planBacking(
  { path, sizeBytes }: LogicalUnitConfig,
  backing: Backing,
  added: readonly string[],
): Step {
  const news = added.includes(path) ? { isNew: true } as const : {};
  switch (backing.state) {
    case "missing":
      return { kind: "createFile", path, sizeBytes };
    case "short": {
      const { fileBytes, allocatedBytes } = backing;
      return { kind: "growFile", path, fromBytes: fileBytes, sizeBytes, allocatedBytes };
    }
    case "ready":
      return { kind: "keepFile", path, sizeBytes, allocatedBytes: backing.allocatedBytes, ...news };
    case "device":
      return { kind: "useDevice", path, sizeBytes, deviceBytes: backing.deviceBytes, ...news };
  }
}

/** Finds the files of logical units that are no longer in the conf. */
function findUnusedFiles(units: readonly LogicalUnitConfig[], survey: Survey): Step[] {
  const used = new Set(units.map((unit) => identityKey(survey.storage, unit.path)));
  const unused = [...recordedIdentities(survey).keys()].filter((key) => !used.has(key));
  return unused.flatMap((key): Step[] => {
    const path = pathOfKey(survey.storage.path, key);
    const entry = survey.places.get(path)!.entry;
    if (entry.kind !== "file") return [];
    const { sizeBytes, allocatedBytes } = entry;
    return [{ kind: "keepUnusedFile", path, sizeBytes, allocatedBytes }];
  });
}

function recordedIdentities(survey: Survey): Identities {
  return survey.recorded.kind === "recorded" ? survey.recorded.identities : new Map();
}
