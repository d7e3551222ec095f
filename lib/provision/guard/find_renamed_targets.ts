import { basename } from "@std/path";
import type { Config, TargetConfig } from "../../config/config.ts";
import type { Problem } from "../examine/examine.ts";
import type { Survey } from "../survey.ts";
import { type FileEntry, isNewUnit, keyOfUnit, unusedFiles } from "./unused_files.ts";

/** The files that a target may have had under another name. */
interface FormerFiles {
  /** The key of the file of LUN 0: the value for `file`. */
  readonly key: string;
  /** All files, by key. */
  readonly keys: readonly string[];
  /** A file is smaller than the size in the conf. */
  readonly isShorter: boolean;
}

/** The most former files of one target that a message names. */
const NAMED_MAX = 3;

/** The common letters at the ends of two names that make them alike. */
const ALIKE_LETTERS = 3;

/**
 * Finds targets that get new, empty disks while unused files have their sizes: usually the target was renamed, and its
 * files were not.
 */
export function findRenamedTargets({ targets }: Config, survey: Survey): Problem[] {
  const unused = unusedFiles(targets.flatMap(({ logicalUnits }) => logicalUnits), survey);
  if (unused.size === 0) return [];
  return targets.flatMap((target) => {
    if (!target.logicalUnits.every((unit) => isNewUnit(unit, survey))) return [];
    const found = findFormerFiles(target, unused);
    return found.length === 0 ? [] : [{ line: target.line, message: describe(target, found) }];
  });
}

function describe({ name, logicalUnits }: TargetConfig, found: readonly FormerFiles[]): string {
  const [{ keys, isShorter }] = found as [FormerFiles];
  const isOne = found.length === 1;
  const named = found.slice(0, NAMED_MAX).map(({ key }) => key);
  const files = isOne ? keys : named;
  const more = found.length > NAMED_MAX ? ` (${found.length} in all)` : "";
  const disks = logicalUnits.length === 1 ? "an empty disk" : "empty disks";
  const sizes = keys.length === 1 ? "size" : "sizes";
  const fit = isShorter ? `no larger ${sizes}` : `the same ${sizes}`;
  return `[${name}] gets ${disks}, but unused ${files.map((key) => `"${key}"`).join(", ")}${more} ` +
    `${files.length === 1 ? "has" : "have"} ${fit}: to keep the data${isOne ? "" : " of one"}, ` +
    `set ${named.map(confLine).join(" or ")} in [${name}]`;
}

/** Finds the files that fit a target: those of the most LUNs, and of the likest name first. */
function findFormerFiles(target: TargetConfig, unused: ReadonlyMap<string, FileEntry>): FormerFiles[] {
  const found = [...unused.keys()].flatMap((key) => {
    const files = matchFiles(target, key, unused);
    return files === undefined ? [] : [files];
  });
  const fits = (best: number, isShorter: boolean): FormerFiles[] =>
    found.filter((files) => files.keys.length === best && files.isShorter === isShorter);
  const best = Math.max(...found.map(({ keys }) => keys.length));
  const same = fits(best, false);
  return (same.length > 0 ? same : fits(best, true))
    .map((files) => ({ files, likeness: commonLetters(target.name, basename(files.key)) }))
    .toSorted((a, b) => b.likeness - a.likeness)
    .map(({ files }) => files);
}

/** Matches the LUNs of a target with the unused files whose first one is `key`; returns undefined when they differ. */
function matchFiles(
  { name, logicalUnits }: TargetConfig,
  key: string,
  unused: ReadonlyMap<string, FileEntry>,
): FormerFiles | undefined {
  const keys: string[] = [];
  let equal = 0;
  for (const { number, sizeBytes } of logicalUnits) {
    const unitKey = keyOfUnit(key, number);
    const file = unused.get(unitKey);
    if (file === undefined) break;
    if (file.sizeBytes > sizeBytes) return undefined;
    if (file.sizeBytes === sizeBytes) equal++;
    keys.push(unitKey);
  }
  const isShorter = equal < keys.length;
  // A target that was renamed and made larger at once needs another likeness: of one LUN, or of the name.
  const isLikely = !isShorter || equal > 0 || commonLetters(name, basename(key)) >= ALIKE_LETTERS;
  return isLikely ? { key, keys, isShorter } : undefined;
}

/** Counts the letters that two names have in common at their beginnings and at their ends. */
function commonLetters(a: string, b: string): number {
  const max = Math.min(a.length, b.length);
  let head = 0;
  while (head < max && a[head] === b[head]) head++;
  let tail = 0;
  while (head + tail < max && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  return head + tail;
}

/** Writes the line of the conf for a file, in quotation marks of the message or of the conf. */
function confLine(key: string): string {
  if (!/[\s"']/.test(key)) return `"file=${key}"`;
  return key.includes('"') ? `file='${key}'` : `file="${key}"`;
}
