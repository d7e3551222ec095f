/**
 * Fields of CDBs. A command reads its CDB through fields, and its CDB usage data (SPC-4, 6.35.3) is made of the same
 * fields. A bit outside of them is neither read nor reported, and the device server refuses it.
 */
import { readUint16, readUint24, readUint32, readUint64 } from "../../bytes/big_endian.ts";
import { refusedForField } from "../outcome/finished.ts";
import type { Finished } from "../outcome/operation.ts";
import { highestBit } from "./set_bits.ts";

/** A field of a CDB. */
export interface CdbField {
  /** The first byte. */
  readonly byte: number;
  readonly lengthBytes: 1 | 2 | 3 | 4 | 8;
  /** The bits of the first byte that belong to the field; of the bytes that follow, all do. */
  readonly mask: number;
  /** Bits below the field, in a field of one byte. */
  readonly shift: number;
  /** The value of zero, in a field of one byte. */
  readonly zeroMeans: number;
}

/** The fields of a CDB, by name. */
export type CdbFields<Name extends string = string> = Readonly<Record<Name, CdbField>>;

/** Makes a field of some bits of one byte. */
export function bitsOf(byte: number, mask: number, { zeroMeans = 0 } = {}): CdbField {
  const shift = mask === 0 ? 0 : highestBit(mask & -mask);
  return { byte, lengthBytes: 1, mask, shift, zeroMeans };
}

/**
 * Makes a field of whole bytes.
 *
 * @param mask the bits of the first byte that belong to the field: all by default
 */
export function bytesOf(byte: number, lengthBytes: CdbField["lengthBytes"], mask = 0xff): CdbField {
  return { byte, lengthBytes, mask, shift: 0, zeroMeans: 0 };
}

/** A field that the CDB does not have, and that reads as zero. */
export const ABSENT: CdbField = bitsOf(1, 0);

/** Reads a field. */
export function readField(cdb: Uint8Array, field: CdbField): number {
  if (field.lengthBytes === 4) return readUint32(cdb, field.byte);
  return field.lengthBytes === 8 ? readUint64(cdb, field.byte) : readShortField(cdb, field);
}

function readShortField(cdb: Uint8Array, { byte, lengthBytes, mask, shift, zeroMeans }: CdbField): number {
  if (lengthBytes === 2) return readUint16(cdb, byte);
  return lengthBytes === 3
    ? readUint24(cdb, byte) & (mask << 16 | 0xffff)
    : (cdb[byte]! & mask) >>> shift || zeroMeans;
}

/** Reports whether any bit of a one-byte field is set. */
export function isSet(cdb: Uint8Array, { byte, mask }: CdbField): boolean {
  return (cdb[byte]! & mask) !== 0;
}

/**
 * Refuses a command for a field of its CDB. The sense data points at the first bit of a field that is part of a byte.
 */
export function refuseField({ byte, mask }: CdbField): Finished {
  return mask === 0xff ? refusedForField(byte) : refusedForField(byte, highestBit(mask));
}
