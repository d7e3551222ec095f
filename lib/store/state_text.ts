/**
 * The text of a state file: a JSON object with its version and a checksum.
 *
 * ```text
 * {
 *   "version": 2,
 *   "checksum": "0a1b2c3d",
 *   ...what is kept
 * }
 * ```
 *
 * The checksum is the CRC32C of the object without it, in the shortest form of JSON: a changed digit is noticed,
 * another indentation does not matter. All kinds of state files share this form from their version 2 on, so that a file
 * of a version that is not known yet is told from a damaged one. Version 1 has no checksum.
 */
import { crc32c } from "../bytes/crc32c.ts";
import { isRecord } from "../base/is_record.ts";

/** The last version without a checksum. */
const UNCHECKED_VERSION = 1;

/** A state file that a newer version of this program has written: it must not be changed, and cannot be used. */
export class NewerStateError extends Error {
  override readonly name = "NewerStateError";
}

/** The content of a state file, with its version. */
export interface StateText {
  readonly version: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Returns the text that keeps `body`. */
export function formatState({ version, body }: StateText): string {
  const checksum = checksumOf({ version, ...body });
  return `${JSON.stringify({ version, checksum, ...body }, null, 2)}\n`;
}

/**
 * Reads the text of a state file.
 *
 * @param newest the version that this program writes
 * @throws {NewerStateError} when the version is newer than that
 * @throws {SyntaxError} that says what is wrong with the text, when it is damaged
 */
export function parseState(text: string, newest: number): StateText {
  const { checksum, ...rest } = parseObject(text);
  const { version, ...body } = rest;
  if (typeof version !== "number" || !Number.isInteger(version) || version < UNCHECKED_VERSION) {
    throw new SyntaxError(`its version is ${JSON.stringify(version)}`);
  }
  if (checksum === undefined && version > UNCHECKED_VERSION) throw new SyntaxError("it has no checksum");
  if (checksum !== undefined && checksum !== checksumOf(rest)) {
    throw new SyntaxError("its checksum does not match what is in it");
  }
  if (version <= newest) return { version, body };
  throw new NewerStateError(
    `it is of version ${version}, and this program knows versions up to ${newest}; ` +
      "use the version of the program that wrote it",
  );
}

/** Returns whether a text is that of a state file, of whatever version, and has a checksum that matches. */
export function isIntactState(text: string): boolean {
  try {
    return parseState(text, Infinity).version > UNCHECKED_VERSION;
  } catch {
    return false;
  }
}

/** Returns whether a text is that of a state file, of whatever version, and as far as can be told intact. */
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
    // The text may be anything, and of any length.
    throw new SyntaxError("it is not JSON");
  }
  if (!isRecord(document)) throw new SyntaxError("it is not a JSON object");
  return document;
}

function checksumOf(document: Readonly<Record<string, unknown>>): string {
  const bytes = new TextEncoder().encode(JSON.stringify(document));
  return crc32c(bytes).toString(16).padStart(8, "0");
}
