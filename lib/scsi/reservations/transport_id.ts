/**
 * TransportIDs of iSCSI initiators (SPC-4, 7.6.4.6).
 *
 * ```text
 *    0 | format code (7-6), reserved (5-4), protocol identifier 5h
 *    1 | reserved
 *  2-3 | ADDITIONAL LENGTH: of the rest, a multiple of four and at least 20
 *    4 | format 00b: the initiator's iSCSI name
 *      | format 01b: its port's name, `NAME,i,0xISID`
 *      | terminated and padded with null characters
 * ```
 */
import { readUint16, writeUint16 } from "../../bytes/big_endian.ts";
import { foldIscsiName, initiatorNameProblem } from "../../config/iscsi_name.ts";

const PROTOCOL_ISCSI = 0x5;
/** With the reserved bits above it, which must be zero. */
const PROTOCOL = 0x3f;
const FORMAT_SHIFT = 6;
const FORMAT_NAME = 0b00;
const FORMAT_PORT = 0b01;

const HEADER_LENGTH_BYTES = 4;
const ADDITIONAL_LENGTH_MIN_BYTES = 20;

/** The separator between an initiator's name and the ISID of its port. */
const SEPARATOR = ",i,0x";
const ISID_DIGITS = 12;

/** A TransportID: the name of one port, or of an initiator with all of its ports. */
export type TransportId =
  | { readonly kind: "port"; readonly initiatorPort: string }
  | { readonly kind: "initiator"; readonly initiatorName: string };

/** Returns the name of the initiator to which a port belongs. */
export function initiatorNameOf(initiatorPort: string): string {
  const end = initiatorPort.lastIndexOf(SEPARATOR);
  return end === -1 ? initiatorPort : initiatorPort.slice(0, end);
}

/** Returns ADDITIONAL LENGTH for a name of this length. */
function additionalLength(nameBytes: number): number {
  return Math.max(Math.ceil((nameBytes + 1) / 4) * 4, ADDITIONAL_LENGTH_MIN_BYTES);
}

/** Returns the length of the TransportID of an initiator port, without encoding it. */
export function transportIdLength(initiatorPort: string): number {
  // Nearly all names are ASCII, with one byte for each character.
  const isAscii = !/\P{ASCII}/u.test(initiatorPort);
  const nameBytes = isAscii ? initiatorPort.length : new TextEncoder().encode(initiatorPort).length;
  return HEADER_LENGTH_BYTES + additionalLength(nameBytes);
}

/** Encodes the TransportID of an initiator port, in format 01b. */
export function encodeTransportId(initiatorPort: string): Uint8Array {
  const name = new TextEncoder().encode(initiatorPort);
  const lengthBytes = additionalLength(name.length);
  const bytes = new Uint8Array(HEADER_LENGTH_BYTES + lengthBytes);
  bytes[0] = FORMAT_PORT << FORMAT_SHIFT | PROTOCOL_ISCSI;
  writeUint16(bytes, 2, lengthBytes);
  bytes.set(name, HEADER_LENGTH_BYTES);
  return bytes;
}

/** Decodes the TransportID at the start of `bytes`; undefined when there is no valid one of iSCSI. */
export function decodeTransportId(
  bytes: Uint8Array,
): { readonly id: TransportId; readonly lengthBytes: number } | undefined {
  if (bytes.length < HEADER_LENGTH_BYTES || (bytes[0]! & PROTOCOL) !== PROTOCOL_ISCSI) return undefined;
  if (bytes[1] !== 0) return undefined;
  const additionalBytes = readUint16(bytes, 2);
  const lengthBytes = HEADER_LENGTH_BYTES + additionalBytes;
  if (additionalBytes < ADDITIONAL_LENGTH_MIN_BYTES || additionalBytes % 4 !== 0) return undefined;
  if (lengthBytes > bytes.length) return undefined;
  const field = bytes.subarray(HEADER_LENGTH_BYTES, lengthBytes);
  const end = field.indexOf(0);
  const text = new TextDecoder().decode(end === -1 ? field : field.subarray(0, end));
  const id = parseName(bytes[0]! >>> FORMAT_SHIFT, text);
  return id === undefined ? undefined : { id, lengthBytes };
}

function parseName(format: number, text: string): TransportId | undefined {
  switch (format) {
    case FORMAT_NAME: {
      const initiatorName = toInitiatorName(text);
      return initiatorName === undefined ? undefined : { kind: "initiator", initiatorName };
    }
    case FORMAT_PORT: {
      const initiatorPort = toInitiatorPort(text);
      return initiatorPort === undefined ? undefined : { kind: "port", initiatorPort };
    }
    default:
      return undefined;
  }
}

function toInitiatorName(text: string): string | undefined {
  const name = foldIscsiName(text);
  return initiatorNameProblem(name) === undefined ? name : undefined;
}

/** Normalizes the name of a port; undefined when the text is not a valid one. */
export function toInitiatorPort(text: string): string | undefined {
  const separator = text.lastIndexOf(SEPARATOR);
  if (separator === -1) return undefined;
  const name = toInitiatorName(text.slice(0, separator));
  const isid = text.slice(separator + SEPARATOR.length).toLowerCase();
  if (name === undefined || isid.length > ISID_DIGITS || !/^[0-9a-f]+$/.test(isid)) return undefined;
  return `${name}${SEPARATOR}${isid.padStart(ISID_DIGITS, "0")}`;
}
