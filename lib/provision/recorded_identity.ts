import { assertIdentity, type Identity } from "../scsi/identity.ts";
import { reasonOf } from "./provision_error.ts";
import { isRecord } from "../base/is_record.ts";

/**
 * The identity of a LUN as it is recorded, with what is known of its backing file. That tells a lost disk from one
 * which an interrupted build was about to make.
 */
export interface RecordedIdentity extends Identity {
  /**
   * When `build` first had the backing file on stable storage, in ISO 8601; null while `build` makes the file. Absent
   * for a block device, and for a file that version 0.1.0 recorded.
   */
  readonly created?: string | null;
  /** The size that the file had at the end of the last build, or is to get; absent where `created` is. */
  readonly sizeBytes?: number;
}

/** Whether the identity belongs to a disk that initiators may know: it is not of a file that is still being made. */
export function isOfDisk(identity: RecordedIdentity | undefined): identity is RecordedIdentity {
  return identity !== undefined && identity.created !== null;
}

/**
 * Reads an entry of the identities file.
 *
 * @throws {SyntaxError} that says what is wrong with it
 */
export function parseRecordedIdentity(key: string, value: unknown): RecordedIdentity {
  const { naa, serialNumber, created, sizeBytes } = isRecord(value) ? value : {};
  if (typeof naa !== "string") throw new SyntaxError(`"${key}" has no text "naa"`);
  if (typeof serialNumber !== "string") throw new SyntaxError(`"${key}" has no text "serialNumber"`);
  try {
    assertIdentity({ naa, serialNumber });
  } catch (error) {
    throw new SyntaxError(`"${key}" has no identity: ${reasonOf(error)}`);
  }
  if (created === undefined && sizeBytes === undefined) return { naa, serialNumber };
  if (created !== null && !isDate(created)) throw new SyntaxError(`"${key}" has no date "created"`);
  if (!isSize(sizeBytes)) throw new SyntaxError(`"${key}" has no number "sizeBytes"`);
  return { naa, serialNumber, created, sizeBytes };
}

function isDate(value: unknown): value is string {
  return typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value);
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0;
}
