import type { Config } from "../../config/config.ts";
import { GLOBALS_LINE, type Problem } from "../examine/examine.ts";
import { identityKey } from "../identity/identity_key.ts";
import type { Survey } from "../survey.ts";
import { isNewUnit } from "./unused_files.ts";

/** The most files that a message names. */
const NAMED_MAX = 3;

/** Finds a storage folder that gets new, empty disks while another one has disks of the same names. */
export function findFormerStorage({ targets }: Config, survey: Survey): Problem[] {
  const units = targets.flatMap(({ logicalUnits }) => logicalUnits);
  const keys = new Set(
    units.filter((unit) => isNewUnit(unit, survey)).map(({ path }) => identityKey(survey.storage, path)),
  );
  const found = survey.formerStorages
    .map(({ path, files }) => ({ path, files: files.filter((file) => keys.has(file)) }))
    .filter(({ files }) => files.length > 0)
    .toSorted((a, b) => b.files.length - a.files.length)[0];
  if (found === undefined) return [];
  const { path, files } = found;
  const named = files.slice(0, NAMED_MAX).map((file) => `"${file}"`).join(", ");
  const more = files.length > NAMED_MAX ? ` and ${files.length - NAMED_MAX} more` : "";
  const message =
    `Storage folder "${survey.storage.path}" gets empty disks, but "${path}" has ${named}${more}: ` +
    `to keep their data, set "storage=${path}", or move that folder before the build`;
  return [{ line: GLOBALS_LINE, message }];
}
