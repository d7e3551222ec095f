/**
 * The parameter list of EXTENDED COPY(LID1) (SPC-4, 6.4.3; SPC-3, 6.3).
 *
 * ```text
 *     0 | LIST IDENTIFIER
 *     1 | STR, LIST ID USAGE (4-3), PRIORITY
 *   2-3 | CSCD DESCRIPTOR LIST LENGTH
 *  8-11 | SEGMENT DESCRIPTOR LIST LENGTH
 * 12-15 | INLINE DATA LENGTH
 *   16- | CSCD descriptors, segment descriptors
 *
 *     0 | E4h: identification descriptor CSCD        0 | 02h: block device to block device
 *     1 | PERIPHERAL DEVICE TYPE (4-0)               1 | DC (1), CAT (0)
 *     4 | code set                                 2-3 | DESCRIPTOR LENGTH 18h
 *     5 | association (5-4), designator type       4-5 | source, an index of the CSCD descriptors
 *     7 | designator length                        6-7 | destination, likewise
 *  8-27 | designator                             10-11 | number of blocks
 * 29-31 | block length                           12-19 | source address
 *                                                20-27 | destination address
 * ```
 *
 * STR and PRIORITY are permissions that the copy manager does not use. CAT, and PAD in byte 28 of a CSCD, concern
 * inexact segments, which are refused. LU ID TYPE is ignored in this descriptor.
 */
import { readUint16, readUint24, readUint32, readUint64 } from "../../bytes/big_endian.ts";
import { refused, refusedForParameter } from "../outcome/finished.ts";
import type { Finished } from "../outcome/operation.ts";
import { refuseReserved } from "../pages/parameter_list.ts";
import { Sense } from "../outcome/sense.ts";
import { type Bits, wholeBytes } from "../dispatch/set_bits.ts";
import { CopyDescriptor, CopyLimits, DESCRIPTOR_LIST_LENGTH_MAX_BYTES } from "./copy_limits.ts";

export const COPY_HEADER_LENGTH_BYTES = 16;

const RESERVED_OF_HEADER: Bits = [1, 0xc0, ...wholeBytes(4, 7)];
/**
 * NUL is obsolete. RELATIVE INITIATOR PORT IDENTIFIER must be zero, because the copy manager uses no initiator port.
 */
const RESERVED_OF_CSCD: Bits = [1, 0x20, ...wholeBytes(2, 3), 4, 0xf0, 5, 0xc0, 6, 0xff, 28, 0xfb];
const RESERVED_OF_SEGMENT: Bits = [1, 0xfc, ...wholeBytes(8, 9)];

/** Values of LIST ID USAGE. */
export const ListIdUsage = { hold: 0b00, discard: 0b10, disabled: 0b11 } as const;
const LIST_ID_USAGE_RESERVED = 0b01;

const PERIPHERAL_DEVICE_TYPE = 0x1f;
const DC = 0x02;

/** Values of an identification descriptor that names a logical unit by its NAA. */
const CODE_SET_BINARY = 0x1;
const NAA_OF_LOGICAL_UNIT = 0x03;
const NAA_LENGTHS_BYTES: readonly number[] = [8, 16];
const DESIGNATOR_LENGTH_MAX_BYTES = 20;

/** A copy source or copy destination. */
export interface Cscd {
  /** The offset of its descriptor in the list. */
  readonly offset: number;
  /** Undefined when the descriptor has another form of designator. */
  readonly naa: string | undefined;
  readonly isBlockDevice: boolean;
  readonly blockLength: number;
}

/** A range of blocks to copy. */
export interface Segment {
  /** Indexes of the CSCDs, possibly out of range. */
  readonly source: number;
  readonly destination: number;
  readonly blocks: number;
  /** `blocks` counts blocks of the destination instead of the source. */
  readonly countsDestinationBlocks: boolean;
  readonly sourceLba: number;
  readonly destinationLba: number;
}

/** A valid parameter list. */
export interface CopyRequest {
  readonly listId: number;
  readonly listIdUsage: number;
  readonly cscds: readonly Cscd[];
  readonly segments: readonly Segment[];
}

/** Parses a parameter list. Returns a refusal of an invalid one, before anything is copied. */
export function parseCopyRequest(list: Uint8Array): CopyRequest | Finished {
  if (list.length < COPY_HEADER_LENGTH_BYTES) return refused(Sense.parameterListLengthError);
  const refusal = refuseReserved(list, RESERVED_OF_HEADER);
  if (refusal !== undefined) return refusal;
  const listId = list[0]!;
  const listIdUsage = list[1]! >>> 3 & 0b11;
  if (listIdUsage === LIST_ID_USAGE_RESERVED) return refusedForParameter(1, 4);
  if (listIdUsage === ListIdUsage.disabled && listId !== 0) return refusedForParameter(0);
  const cscdBytes = readUint16(list, 2);
  const segmentBytes = readUint32(list, 8);
  if (readUint32(list, 12) > 0) return refused(Sense.inlineDataLengthExceeded);
  const segmentsStart = COPY_HEADER_LENGTH_BYTES + cscdBytes;
  if (cscdBytes + segmentBytes > DESCRIPTOR_LIST_LENGTH_MAX_BYTES) {
    return refused(Sense.parameterListLengthError);
  }
  if (segmentsStart + segmentBytes > list.length) return refused(Sense.parameterListLengthError);
  const cscds = parseCscds(list, COPY_HEADER_LENGTH_BYTES, segmentsStart);
  if (!Array.isArray(cscds)) return cscds;
  const segments = parseSegments(list, segmentsStart, segmentsStart + segmentBytes);
  return Array.isArray(segments) ? { listId, listIdUsage, cscds, segments } : segments;
}

function parseCscds(list: Uint8Array, start: number, end: number): Cscd[] | Finished {
  const { type, lengthBytes } = CopyDescriptor.identification;
  const cscds: Cscd[] = [];
  for (let offset = start; offset < end; offset += lengthBytes) {
    if (list[offset] !== type) return refused(Sense.unsupportedTargetDescriptorTypeCode);
    if (offset + lengthBytes > end) return refused(Sense.parameterListLengthError);
    if (cscds.length === CopyLimits.cscdDescriptors) return refused(Sense.tooManyTargetDescriptors);
    const cscd = parseCscd(list, offset);
    if ("kind" in cscd) return cscd;
    cscds.push(cscd);
  }
  return cscds;
}

function parseCscd(list: Uint8Array, offset: number): Cscd | Finished {
  const refusal = refuseReserved(list, RESERVED_OF_CSCD, offset);
  if (refusal !== undefined) return refusal;
  const designatorLength = list[offset + 7]!;
  if (designatorLength > DESIGNATOR_LENGTH_MAX_BYTES) return refusedForParameter(offset + 7);
  const isNaa = (list[offset + 4]! & 0x0f) === CODE_SET_BINARY &&
    (list[offset + 5]! & 0x3f) === NAA_OF_LOGICAL_UNIT && NAA_LENGTHS_BYTES.includes(designatorLength);
  const designator = list.subarray(offset + 8, offset + 8 + designatorLength);
  return {
    offset,
    naa: isNaa ? designator.toHex() : undefined,
    isBlockDevice: (list[offset + 1]! & PERIPHERAL_DEVICE_TYPE) === 0,
    blockLength: readUint24(list, offset + 29),
  };
}

function parseSegments(list: Uint8Array, start: number, end: number): Segment[] | Finished {
  const { type, lengthBytes } = CopyDescriptor.blockToBlock;
  const segments: Segment[] = [];
  for (let offset = start; offset < end; offset += lengthBytes) {
    if (list[offset] !== type) return refused(Sense.unsupportedSegmentDescriptorTypeCode);
    if (offset + lengthBytes > end) return refused(Sense.parameterListLengthError);
    if (segments.length === CopyLimits.segmentDescriptors) return refused(Sense.tooManySegmentDescriptors);
    if (readUint16(list, offset + 2) !== lengthBytes - 4) return refusedForParameter(offset + 2);
    const refusal = refuseReserved(list, RESERVED_OF_SEGMENT, offset);
    if (refusal !== undefined) return refusal;
    segments.push({
      source: readUint16(list, offset + 4),
      destination: readUint16(list, offset + 6),
      blocks: readUint16(list, offset + 10),
      countsDestinationBlocks: (list[offset + 1]! & DC) !== 0,
      sourceLba: readUint64(list, offset + 12),
      destinationLba: readUint64(list, offset + 20),
    });
  }
  return segments;
}
