import { sanitizeFileOf } from "../../provision/state_folder.ts";
import type { Identity } from "../../scsi/identity.ts";
import type { EraseRecord, Unfinished } from "../../scsi/medium/erase_record.ts";
import { StoreError } from "../../store/block_store.ts";
import type { FileActivity } from "../../store/file_activity.ts";
import { formatState, parseState } from "../../store/state_text.ts";
import { TwinFile } from "../../store/twin_file.ts";

/** The format of the file. Version 1 already has the checksum that other state files have from version 2. */
const VERSION = 3;

/** The first version that records an operation: an older program uses a file as long as it understands it. */
const FIRST_VERSIONS = { restricted: 2, unrestricted: 2, format: 3 } as const satisfies Record<
  Unfinished,
  number
>;

/** The record of a logical unit's last sanitize or format operation, as a file. */
export interface SanitizeFile extends EraseRecord {
  /** The effect of an incomplete operation with its remedy, for the user; undefined when the last one completed. */
  readonly problem: string | undefined;
}

/**
 * Opens the record of a logical unit's last sanitize or format operation. Its name in the state folder is the unit's
 * NAA identifier. The file exists once the unit has been sanitized or formatted.
 *
 * @param activity counts operations off the event loop
 * @throws {StoreError} when the file exists and is unreadable or damaged
 */
export function openSanitizeFile(
  place: string,
  { naa }: Identity,
  backingPath: string,
  activity?: FileActivity,
): SanitizeFile {
  const path = sanitizeFileOf(place, naa);
  const file = new TwinFile(path, { activity });
  const { text } = file.read();
  const unfinished = text === undefined ? undefined : parse(text, path);
  return {
    unfinished,
    problem: unfinished && describeUnfinished(unfinished, backingPath, path),
    keep: (operation) => file.replace(format(operation)),
  };
}

function format(unfinished: Unfinished | undefined): string {
  const version = FIRST_VERSIONS[unfinished ?? "restricted"];
  return formatState({ version, body: { unfinished: unfinished ?? null } });
}

/** Returns the name of the command of an operation, for the user. */
export function commandOf(unfinished: Unfinished): string {
  return unfinished === "format" ? "FORMAT UNIT" : "SANITIZE";
}

function describeUnfinished(unfinished: Unfinished, backingPath: string, path: string): string {
  const remedy = unfinished === "format" ? "FORMAT UNIT or SANITIZE" : "one";
  return `The last ${
    commandOf(unfinished)
  } of "${backingPath}" did not complete: the LUN refuses every access until ` +
    `another ${remedy} completes; to give up what was to be erased, stop the server and remove "${path}"`;
}

/** Reads the record. Serving without it could present a unit that was not erased as erased. */
function parse(text: string, path: string): Unfinished | undefined {
  try {
    const { unfinished } = parseState(text, VERSION).body;
    if (unfinished === null) return undefined;
    const operation = (Object.keys(FIRST_VERSIONS) as Unfinished[]).find((known) => known === unfinished);
    if (operation === undefined) throw new SyntaxError('its "unfinished" is no operation');
    return operation;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const problem =
      `Cannot read in "${path}" whether the last SANITIZE or FORMAT UNIT completed: ${error.message}`;
    const remedy = error instanceof SyntaxError ? "; remove it once the LUN need not be erased" : "";
    throw new StoreError("readFailed", `${problem}${remedy}`, { cause: error });
  }
}
