import { sanitizeFileOf } from "../provision/state_folder.ts";
import type { Identity } from "../scsi/identity.ts";
import type { CompletionMode, SanitizeRecord } from "../scsi/medium/sanitize_record.ts";
import { StoreError } from "../store/block_store.ts";
import type { FileActivity } from "../store/file_activity.ts";
import { formatState, parseState } from "../store/state_text.ts";
import { TwinFile } from "../store/twin_file.ts";

/** The form of the file, whose first version has a checksum as all state files have from version 2 on. */
const VERSION = 2;

const MODES: readonly unknown[] = ["restricted", "unrestricted"] satisfies CompletionMode[];

/** The record of a logical unit's sanitize operation, as a file. */
export interface SanitizeFile extends SanitizeRecord {
  /** What an operation that did not complete means, and what to do, for the user; undefined when all had completed. */
  readonly problem: string | undefined;
}

/**
 * Opens the record of a logical unit's sanitize operation: a file of the state folder, under its NAA identifier, which
 * is there once the unit was ever sanitized.
 *
 * @param activity counts what is under way off the event loop
 * @throws {StoreError} when the file is there and cannot be read, or what is in it cannot be used
 */
export function openSanitizeFile(
  storage: string,
  { naa }: Identity,
  backingPath: string,
  activity?: FileActivity,
): SanitizeFile {
  const path = sanitizeFileOf(storage, naa);
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

/** A unit that is served without its record may pass for one that is sanitized. */
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
