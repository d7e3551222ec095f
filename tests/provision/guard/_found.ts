import { findDoubts } from "../../../lib/provision/guard/guard_rails.ts";
import type { RecordedIdentity } from "../../../lib/provision/identity/recorded_identity.ts";
import type { Entry, Place, Survey } from "../../../lib/provision/survey.ts";
import { configOf, createdFile, identityNumber } from "../conf.ts";
import { disk, file, MISSING, place } from "../disk.ts";

/** Returns the findings of the guard rails, without those about space: `LINE: message`, or `LINE: error: message`. */
export function doubtsOf(
  lines: readonly string[],
  survey: Survey,
  options: Parameters<typeof findDoubts>[2] = {},
): string[] {
  const { errors, warnings } = findDoubts(configOf("storage=/s", ...lines), survey, {
    isElsewhere: true,
    ...options,
  });
  return [
    ...errors.map(({ line, message }) => `${line}: error: ${message}`),
    ...warnings.map(({ line, message }) => `${line}: ${message}`),
  ];
}

/** A disk with recorded files in `/s`, by key with their sizes, and with paths at which there is nothing. */
export function diskWith(
  files: Readonly<Record<string, number>>,
  missing: readonly string[] = [],
  changes: Partial<Survey> = {},
): Survey {
  const identities = new Map(
    Object.entries(files).map(([key, sizeBytes], index): [string, RecordedIdentity] => [
      key,
      { ...identityNumber(index + 1), ...createdFile(sizeBytes) },
    ]),
  );
  const places: Place[] = [
    ...Object.entries(files).map(([key, sizeBytes]) => place(pathOf(key), file(sizeBytes))),
    ...missing.map((key) => place(pathOf(key), MISSING)),
  ];
  return disk(places, { recorded: { kind: "recorded", identities }, ...changes });
}

/** A disk with one place, recorded or not. */
export function diskAt(path: string, entry: Entry, recorded?: RecordedIdentity): Survey {
  const identities = new Map(recorded === undefined ? [] : [[path, recorded]]);
  return disk([place(path, entry, { fileSystem: undefined })], {
    recorded: { kind: "recorded", identities },
  });
}

function pathOf(key: string): string {
  return key.startsWith("/") ? key : `/s/${key}`;
}
