/**
 * Additional header segments of a SCSI Command (RFC 7143, 11.2.2), each padded to 4 bytes:
 *
 *     +-----------------------+---------+-----------------------------------+
 *     | AHSLength: 2 bytes    | AHSType | content: AHSLength bytes          |
 *     +-----------------------+---------+-----------------------------------+
 */
import { readUint16, readUint32 } from "../../bytes/big_endian.ts";
import { BASIC_HEADER_BYTES, paddedLength } from "./header.ts";
import { formatError } from "./protocol_error.ts";

/** Length of AHSLength and AHSType. */
const PREFIX_BYTES = 3;

/** Types of additional header segments (11.2.2.1). */
const AhsType = { extendedCdb: 1, bidirectionalReadLength: 2 } as const;

/** The fields that additional header segments add to a SCSI Command. */
export interface AdditionalHeaders {
  /** The whole CDB, its first 16 bytes included. */
  readonly extendedCdb: Uint8Array | undefined;
  /** Bidirectional Read Expected Data Transfer Length. */
  readonly bidirectionalRead: number;
}

/** The fields of a SCSI Command without additional header segments. */
export const NO_ADDITIONAL_HEADERS: AdditionalHeaders = { extendedCdb: undefined, bidirectionalRead: 0 };

/**
 * Decodes the segments that follow the basic header segment.
 *
 * @throws {ProtocolError} that ends the session, when a segment is malformed or repeated
 */
export function decodeAdditionalHeaders(header: Uint8Array): AdditionalHeaders {
  let extendedCdb: Uint8Array | undefined;
  let bidirectionalRead: number | undefined;
  for (let offset = BASIC_HEADER_BYTES; offset < header.length;) {
    const length = readUint16(header, offset);
    const type = header[offset + 2]! & 0x3f;
    const end = offset + PREFIX_BYTES + length;
    if (length === 0 || end > header.length) {
      throw formatError(`Additional header segment of length ${length} does not fit`);
    }
    // Both types have a reserved byte before their content. 11.2.2.3: an extended CDB has more than 16 bytes.
    if (type === AhsType.extendedCdb && length > 1 && extendedCdb === undefined) {
      extendedCdb = new Uint8Array(16 + length - 1);
      extendedCdb.set(header.subarray(32, BASIC_HEADER_BYTES));
      extendedCdb.set(header.subarray(offset + 4, end), 16);
    } else if (
      type === AhsType.bidirectionalReadLength && length === 5 && bidirectionalRead === undefined
    ) {
      bidirectionalRead = readUint32(header, offset + 4);
    } else {
      throw formatError(
        `Additional header segment of type ${type} and length ${length} is invalid or repeated`,
      );
    }
    offset += paddedLength(PREFIX_BYTES + length);
  }
  return { extendedCdb, bidirectionalRead: bidirectionalRead ?? 0 };
}
