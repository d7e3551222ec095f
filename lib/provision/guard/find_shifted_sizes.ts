import type { Config, TargetConfig } from "../../config/config.ts";
import { formatSize } from "../../config/size.ts";
import type { Problem } from "../examine/examine.ts";
import { identityKey } from "../identity/identity_key.ts";
import type { Survey } from "../survey.ts";
import { type FileEntry, keyOfUnit, recordedFiles } from "./unused_files.ts";

/**
 * Finds targets whose list of sizes has moved against the files: a size was added or removed before others, or two
 * changed places. Files belong to positions, so the wrong files would grow, and a file cannot be made smaller again.
 */
export function findShiftedSizes({ targets }: Config, survey: Survey): Problem[] {
  const files = recordedFiles(survey);
  return targets.flatMap((target) => {
    const message = describeShift(target, survey, files);
    return message === undefined ? [] : [{ line: target.logicalUnits[0]!.line, message }];
  });
}

function describeShift(
  { name, logicalUnits }: TargetConfig,
  { storage }: Survey,
  files: ReadonlyMap<string, FileEntry>,
): string | undefined {
  const key = identityKey(storage, logicalUnits[0]!.path);
  const before: number[] = [];
  for (let file = files.get(key); file !== undefined; file = files.get(keyOfUnit(key, before.length))) {
    before.push(file.sizeBytes);
  }
  const now = logicalUnits.map(({ sizeBytes }) => sizeBytes);
  const grown = now.findIndex((sizeBytes, number) => sizeBytes > (before[number] ?? Infinity));
  if (grown < 0 || !isShift(before, now)) return undefined;
  const growth = `from ${formatSize(before[grown]!)} to ${formatSize(now[grown]!)}`;
  return `Sizes of [${name}] have moved: LUN ${grown} would grow ${growth} and keep the data of ` +
    `"${
      keyOfUnit(key, grown)
    }", because files belong to positions; write new sizes at the end, remove only the ` +
    'last ones, or run "iscsi build --force" to grow it';
}

/** Reports whether the same sizes stand in other positions. */
function isShift(before: readonly number[], now: readonly number[]): boolean {
  if (before.length === now.length) {
    const [a, b] = [before, now].map((sizes) => sizes.toSorted((a, b) => a - b).join());
    return a === b;
  }
  return before.length < now.length ? isPartOf(before, now) : isPartOf(now, before);
}

/** Reports whether the numbers of one list stand in the other, in the same order. */
function isPartOf(part: readonly number[], whole: readonly number[]): boolean {
  let found = 0;
  for (const number of whole) if (number === part[found]) found++;
  return found === part.length;
}
