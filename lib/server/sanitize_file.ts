import { sanitizeFileOf } from "../provision/state_folder.ts";
import type { Identity } from "../scsi/identity.ts";
import type { CompletionMode, SanitizeRecord } from "../scsi/medium/sanitize_record.ts";
import { StoreError } from "../store/block_store.ts";
import type { FileActivity } from "../store/file_activity.ts";
import { formatState, parseState } from "../store/state_text.ts";
import { TwinFile } from "../store/twin_file.ts";

/** The format of the file. Version 1 already has the checksum that other state files have from version 2. */
const VERSION = 2;

const MODES: readonly unknown[] = ["restricted", "unrestricted"] satisfies CompletionMode[];

/** The record of a logical unit's sanitize operation, as a file. */
export interface SanitizeFile extends SanitizeRecord {
  /** The effect of an incomplete operation with its remedy, for the user; undefined when the last one completed. */
  readonly problem: string | undefined;
}

/**
 * Opens the record of a logical unit's sanitize operation. Its name in the state folder is the unit's NAA identifier.
 * The file exists once the unit has been sanitized.
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
    problem: unfinished && describeUnfinished(backingPath, path),
    keep: (mode) => file.replace(formatState({ version: VERSION, body: { unfinished: mode ?? null } })),
  };
}

function describeUnfinished(backingPath: string, path: string): string {
  return `The last SANITIZE of "${backingPath}" did not complete: the LUN refuses every access until another one ` +
    `completes; to give up what was to be erased, stop the server and remove "${path}"`;
}

/** Reads the record. Serving without it could present an unsanitized unit as sanitized. */
function parse(text: string, path: string): CompletionMode | undefined {
  try {
    const { unfinished } = parseState(text, VERSION).body;
    if (unfinished === null) return undefined;
    if (!MODES.includes(unfinished)) throw new SyntaxError('its "unfinished" is no completion mode');
    return unfinished as CompletionMode;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const problem = `Cannot read in "${path}" whether the last SANITIZE completed: ${error.message}`;
    const remedy = error instanceof SyntaxError ? "; remove it once the LUN need not be sanitized" : "";
    throw new StoreError("readFailed", `${problem}${remedy}`, { cause: error });
  }
}
