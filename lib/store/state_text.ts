/**
 * The text of a state file: a JSON object with a version and a checksum.
 *
 * ```text
 * {
 *   "version": 2,
 *   "checksum": "0a1b2c3d",
 *   ...body
 * }
 * ```
 *
 * The checksum is the CRC32C of the object without it, in the shortest form of JSON: a changed digit is detected,
 * another indentation is not. All kinds of state files have this form from version 2 on, so a file of a newer version
 * is distinguished from a damaged one. Version 1 has no checksum.
 */
import { crc32c } from "../bytes/crc32c.ts";
import { isRecord } from "../base/is_record.ts";

/** The last version without a checksum. */
const UNCHECKED_VERSION = 1;

/** An error for a state file of a newer version of this program: it must not be changed, and cannot be used. */
export class NewerStateError extends Error {
  override readonly name = "NewerStateError";
}

/** The content of a state file, with its version. */
export interface StateText {
  readonly version: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Formats a state file. */
export function formatState({ version, body }: StateText): string {
  const checksum = checksumOf({ version, ...body });
  return `${JSON.stringify({ version, checksum, ...body }, null, 2)}\n`;
}

/**
 * Parses a state file.
 *
 * @param newest the version that this program writes
 * @throws {NewerStateError} when the version is newer
 * @throws {SyntaxError} with the reason, when the text is damaged
 */
export function parseState(text: string, newest: number): StateText {
  const { checksum, ...rest } = parseObject(text);
  const { version, ...body } = rest;
  if (typeof version !== "number" || !Number.isInteger(version) || version < UNCHECKED_VERSION) {
    throw new SyntaxError(`its version is ${JSON.stringify(version)}`);
  }
  if (checksum === undefined && version > UNCHECKED_VERSION) throw new SyntaxError("it has no checksum");
  if (checksum !== undefined && checksum !== checksumOf(rest)) {
    throw new SyntaxError("its checksum does not match its content");
  }
  if (version <= newest) return { version, body };
  throw new NewerStateError(
    `it has version ${version}, and this program supports versions up to ${newest}; ` +
      "use the version of the program that wrote it",
  );
}

/** Returns whether a text is a state file of any version with a correct checksum. */
export function isIntactState(text: string): boolean {
  try {
    return parseState(text, Infinity).version > UNCHECKED_VERSION;
  } catch {
    return false;
  }
}

/** Returns whether a text is a state file of any version, and as far as can be checked undamaged. */
export function isState(text: string): boolean {
  try {
    parseState(text, Infinity);
    return true;
  } catch {
    return false;
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    // The text may be anything, and of any length, so the message does not quote it.
    throw new SyntaxError("it is not JSON");
  }
  if (!isRecord(document)) throw new SyntaxError("it is not a JSON object");
  return document;
}

function checksumOf(document: Readonly<Record<string, unknown>>): string {
  const bytes = new TextEncoder().encode(JSON.stringify(document));
  return crc32c(bytes).toString(16).padStart(8, "0");
}
