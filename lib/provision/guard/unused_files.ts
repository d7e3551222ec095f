import type { LogicalUnitConfig } from "../../config/config.ts";
import { identityKey, pathOfKey } from "../identity/identity_key.ts";
import { isOfDisk } from "../identity/recorded_identity.ts";
import type { Entry, Survey } from "../survey.ts";

/** A backing file that is on the disk. */
export type FileEntry = Entry & { readonly kind: "file" };

/** Returns the existing files with a recorded identity, by key. */
export function recordedFiles({ recorded, storage, places }: Survey): Map<string, FileEntry> {
  const identities = recorded.kind === "recorded" ? recorded.identities : new Map();
  return new Map(
    [...identities.keys()].flatMap((key) => {
      const entry = places.get(pathOfKey(storage.path, key))?.entry;
      return entry?.kind === "file" ? [[key, entry] as const] : [];
    }),
  );
}

/** Returns the existing files with a recorded identity that the conf does not use, by key. */
export function unusedFiles(units: readonly LogicalUnitConfig[], survey: Survey): Map<string, FileEntry> {
  const files = recordedFiles(survey);
  for (const { path } of units) files.delete(identityKey(survey.storage, path));
  return files;
}

/** Reports whether a logical unit has no disk yet: no file, and no record of one. */
export function isNewUnit({ path }: LogicalUnitConfig, { recorded, storage, places }: Survey): boolean {
  return places.get(path)?.entry.kind === "missing" && recorded.kind === "recorded" &&
    !isOfDisk(recorded.identities.get(identityKey(storage, path)));
}

/** Returns the key of a LUN's file, from the key of the file of LUN 0. */
export function keyOfUnit(first: string, number: number): string {
  return number === 0 ? first : `${first}_${number}`;
}
