/**
 * The header that every PDU begins with (RFC 7143, 11.2): a basic header segment of 48 bytes.
 *
 *     +-------+-------+-------------+----------+-------------------+
 *   0 | .I op | flags | opcode's own| TotalAHS | DataSegmentLength |
 *     +-------+-------+-------------+----------+-------------------+
 *   8 | LUN, or ISID and TSIH in a login                           |
 *     +-----------------------------+------------------------------+
 *  16 | initiator task tag          | target transfer tag          |
 *     +-----------------------------+------------------------------+
 *  24 | CmdSN / StatSN              | ExpStatSN / ExpCmdSN         |   sent by an initiator / by a target
 *     +-----------------------------+------------------------------+
 *  32 | opcode's own / MaxCmdSN     | opcode's own                 |
 *     +-----------------------------+------------------------------+
 *  40 | opcode's own                                               |
 *     +------------------------------------------------------------+
 */
import { readUint24, readUint32 } from "../../bytes/big_endian.ts";

/** Length of the basic header segment in bytes. */
export const BASIC_HEADER_BYTES = 48;

/** Offsets of the fields that more than one PDU has; a field of one PDU only stands with its codec. */
export const Offset = {
  opcode: 0,
  flags: 1,
  totalAhsLength: 4,
  dataSegmentLength: 5,
  lun: 8,
  isid: 8,
  tsih: 14,
  initiatorTaskTag: 16,
  targetTransferTag: 20,
  cid: 20,
  cmdSN: 24,
  statSN: 24,
  expStatSN: 28,
  expCmdSN: 28,
  maxCmdSN: 32,
  dataSN: 36,
  bufferOffset: 40,
  residualCount: 44,
} as const;

/** Bits of byte 0: the opcode is the rest. */
const IMMEDIATE = 0x40;
const OPCODE_MASK = 0x3f;

/** Bits of byte 1: F, which is T in a login, and C. */
export const FINAL = 0x80;
export const CONTINUED = 0x40;

/** The reserved tag: no task, or no transfer. */
export const RESERVED_TAG = 0xffffffff;

/** One PDU in place in the receive buffer: valid until the buffer is asked for free space. */
export interface Frame {
  /** The header segments: the basic one at offset 0, followed by additional ones. */
  readonly header: Uint8Array;
  /** The data segment without its padding. */
  readonly data: Uint8Array;
  /** The data segment does not match its digest: reject the PDU and use none of its data. */
  readonly hasDataDigestError: boolean;
}

/** Returns the opcode of a PDU. */
export function opcodeOf(header: Uint8Array): number {
  return header[Offset.opcode]! & OPCODE_MASK;
}

/** Returns whether a request is immediate: delivered at once, outside the order of CmdSN. */
export function isImmediate(header: Uint8Array): boolean {
  return (header[Offset.opcode]! & IMMEDIATE) !== 0;
}

/** Returns whether the F bit (T in a login) is set. */
export function isFinal(header: Uint8Array): boolean {
  return (header[Offset.flags]! & FINAL) !== 0;
}

/** Returns whether the C bit is set: the text continues in the next PDU. */
export function isContinued(header: Uint8Array): boolean {
  return (header[Offset.flags]! & CONTINUED) !== 0;
}

/** Returns the next StatSN that the sender of a request expects (4.2.2.2). */
export function expStatSNOf(header: Uint8Array): number {
  return readUint32(header, Offset.expStatSN);
}

/** Returns the length of all header segments of the PDU at `start`: TotalAHSLength counts words of 4 bytes. */
export function headerLength(buffer: Uint8Array, start: number): number {
  return BASIC_HEADER_BYTES + buffer[start + Offset.totalAhsLength]! * 4;
}

/** Returns the length of the data segment of the PDU at `start`, without padding. */
export function dataSegmentLength(buffer: Uint8Array, start: number): number {
  return readUint24(buffer, start + Offset.dataSegmentLength);
}

/** Returns the next multiple of 4, to which data segments are padded (11.2.3). */
export function paddedLength(length: number): number {
  return (length + 3) & ~3;
}
