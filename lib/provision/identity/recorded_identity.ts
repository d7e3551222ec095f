import { assertIdentity, type Identity } from "../../scsi/identity.ts";
import { reasonOf } from "../provision_error.ts";
import { isRecord } from "../../base/is_record.ts";

/**
 * The recorded identity of a LUN, with the state of its backing file. The state distinguishes a lost disk from one that
 * an interrupted build was about to make.
 */
export interface RecordedIdentity extends Identity {
  /**
   * The time, in ISO 8601, at which `build` first had the backing file on stable storage; null while `build` makes the
   * file. Absent for a block device, and for a file that version 0.1.0 recorded.
   */
  readonly created?: string | null;
  /** The size of the file at the end of the last build, or the planned size; absent where `created` is. */
  readonly sizeBytes?: number;
}

/** Reports whether an identity belongs to a disk that initiators may know, and not to a file that is being made. */
export function isOfDisk(identity: RecordedIdentity | undefined): identity is RecordedIdentity {
  return identity !== undefined && identity.created !== null;
}

/**
 * Parses an entry of the identities file.
 *
 * @throws {SyntaxError} with the problem of the entry
 */
export function parseRecordedIdentity(key: string, value: unknown): RecordedIdentity {
  const { naa, serialNumber, created, sizeBytes } = isRecord(value) ? value : {};
  if (typeof naa !== "string") throw new SyntaxError(`"${key}" has no string "naa"`);
  if (typeof serialNumber !== "string") throw new SyntaxError(`"${key}" has no string "serialNumber"`);
  try {
    assertIdentity({ naa, serialNumber });
  } catch (error) {
    throw new SyntaxError(`"${key}" has an invalid identity: ${reasonOf(error)}`);
  }
  // The names of state files are made of it, and "build" makes no other.
  if (!/^3[0-9a-f]{15}$/i.test(naa)) {
    throw new SyntaxError(`"${key}" has an invalid identity: NAA "${naa}" is not locally assigned (3h)`);
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
