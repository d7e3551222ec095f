/**
 * FORMAT UNIT (SBC-3, 5.3): replaces the content of all blocks, by default with zeros. A thinly provisioned unit
 * unmaps them for that. The number and the length of the blocks are those of the conf, and remain.
 *
 * ```text
 *  header of the parameter list
 *  0   | PROTECTION FIELD USAGE (2-0)
 *  1   | FOV (7), DPRY (6), DCRT (5), STPF (4), IP (3), IMMED (1)
 *  2-3 | DEFECT LIST LENGTH                             } without LONGLIST
 *  3   | P_I_INFORMATION, PROTECTION INTERVAL EXPONENT  } with LONGLIST
 *  4-7 | DEFECT LIST LENGTH                             }
 *
 *  initialization pattern descriptor, behind the header, with IP
 *  0   | SI (5)
 *  1   | INITIALIZATION PATTERN TYPE
 *  2-3 | INITIALIZATION PATTERN LENGTH
 *  4-  | INITIALIZATION PATTERN
 * ```
 */
import { readUint16, readUint32 } from "../../bytes/big_endian.ts";
import { bitsOf, isSet, readField, refuseField } from "../dispatch/cdb_field.ts";
import { checkCondition, finished, refused, refusedForParameter } from "../outcome/finished.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import { eraseMethod, eraseThen, fillBlock, overwriteMethod } from "../medium/erase_methods.ts";
import type { Finished, Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { refuseReserved, takeOfferedList } from "../pages/parameter_list.ts";
import { Sense } from "../outcome/sense.ts";
import { type Bits, highestBit, wholeBytes } from "../dispatch/set_bits.ts";
import { outcomeOfFailure } from "../medium/store_error_outcome.ts";

/**
 * The fields of the CDB: FMTPINFO, LONGLIST, FMTDATA, CMPLST and DEFECT LIST FORMAT. Since there are no defects,
 * CMPLST chooses between two empty lists.
 */
export const FORMAT_UNIT_FIELDS = {
  protection: bitsOf(1, 0xc0),
  isLongList: bitsOf(1, 0x20),
  hasList: bitsOf(1, 0x10),
  isCompleteList: bitsOf(1, 0x08),
  defectListFormat: bitsOf(1, 0x07),
} as const;

/** The last DEFECT LIST FORMAT that is defined: 110b is vendor specific, 111b reserved. */
const DEFECT_LIST_FORMAT_MAX = 0b101;

/** Byte 1 of the header. */
const FOV = 0x80;
const FORMAT_OPTIONS = 0x78;
const IP = 0x08;
const IMMED = 0x02;

/** The form of a header. */
interface HeaderLayout {
  readonly lengthBytes: number;
  /** All bits of protection information, because there is none, and those that are obsolete or vendor specific. */
  readonly refusedBits: Bits;
  readonly defectListLengthByte: number;
  readonly readDefectListLength: (list: Uint8Array) => number;
}

const REFUSED_OF_EACH: Bits = [0, 0xff, 1, 0x05];

const SHORT_HEADER: HeaderLayout = {
  lengthBytes: 4,
  refusedBits: REFUSED_OF_EACH,
  defectListLengthByte: 2,
  readDefectListLength: (list) => readUint16(list, 2),
};

const LONG_HEADER: HeaderLayout = {
  lengthBytes: 8,
  refusedBits: [...REFUSED_OF_EACH, ...wholeBytes(2, 3)],
  defectListLengthByte: 4,
  readDefectListLength: (list) => readUint32(list, 4),
};

const DESCRIPTOR_BYTES = 4;

/** SI, obsolete and reserved bits: a reassigned block, which SI concerns, does not exist. */
const REFUSED_OF_DESCRIPTOR: Bits = [0, 0xff];

/** INITIALIZATION PATTERN TYPE: the default pattern, or one that follows and fills each block by repetition. */
const PatternType = { default: 0x00, repeated: 0x01 } as const;

/** A valid parameter list. */
interface FormatParameters {
  readonly isImmediate: boolean;
  /** Fills each block by repetition; zeros without it. */
  readonly pattern: Uint8Array | undefined;
}

/** Refuses a header; undefined when it is valid. */
function refuseHeader(list: Uint8Array, layout: HeaderLayout): Finished | undefined {
  if (list.length < layout.lengthBytes) return refused(Sense.parameterListLengthError);
  const refusal = refuseReserved(list, layout.refusedBits);
  if (refusal !== undefined) return refusal;
  // DPRY and STPF are about lists of defects, and DCRT about a certification, which never finds any.
  const options = list[1]! & FORMAT_OPTIONS;
  if (options !== 0 && (list[1]! & FOV) === 0) return refusedForParameter(1, highestBit(options));
  return layout.readDefectListLength(list) === 0
    ? undefined
    : refusedForParameter(layout.defectListLengthByte);
}

/** Returns the pattern of the descriptor at `offset`, which is empty for the default pattern, or a refusal. */
function readPattern(unit: LogicalUnit, list: Uint8Array, offset: number): Uint8Array | Finished {
  const start = offset + DESCRIPTOR_BYTES;
  if (start > list.length) return refused(Sense.parameterListLengthError);
  const refusal = refuseReserved(list, REFUSED_OF_DESCRIPTOR, offset);
  if (refusal !== undefined) return refusal;
  const type = list[offset + 1]!;
  const length = readUint16(list, offset + 2);
  if (type !== PatternType.default && type !== PatternType.repeated) return refusedForParameter(offset + 1);
  const isDefault = type === PatternType.default;
  if (length > unit.blockSizeBytes || isDefault !== (length === 0)) return refusedForParameter(offset + 2);
  return start + length > list.length
    ? refused(Sense.parameterListLengthError)
    : list.subarray(start, start + length);
}

/** Returns the parameters of a list, or a refusal. */
function readList(unit: LogicalUnit, list: Uint8Array, layout: HeaderLayout): FormatParameters | Finished {
  const refusal = refuseHeader(list, layout);
  if (refusal !== undefined) return refusal;
  let end = layout.lengthBytes;
  let pattern: Uint8Array | undefined;
  if ((list[1]! & IP) !== 0) {
    const found = readPattern(unit, list, end);
    if (!(found instanceof Uint8Array)) return found;
    end += DESCRIPTOR_BYTES + found.length;
    if (found.some((byte) => byte !== 0)) pattern = found;
  }
  const unknown = list.findIndex((byte, index) => index >= end && byte !== 0);
  if (unknown >= 0) return refusedForParameter(unknown);
  return { isImmediate: (list[1]! & IMMED) !== 0, pattern };
}

/** Returns the outcome of a format operation. A failure before the first change is reported as it is. */
function outcomeOf({ eraser }: LogicalUnit, work: Promise<void>): Promise<Outcome> {
  return work.then(() => GOOD, (error) => {
    const outcome = outcomeOfFailure(error);
    return eraser.failure === "format" ? checkCondition(Sense.formatCommandFailed) : outcome;
  });
}

/** Starts a format operation, which continues even if the task is aborted. */
function begin(unit: LogicalUnit, { isImmediate, pattern }: FormatParameters): Operation {
  const { eraser } = unit;
  const { failure, outcome } = eraser;
  // Another operation may have started, or a SANITIZE failed, while the parameter list was transferred.
  if (outcome !== undefined && (eraser.isUnderWay || failure !== "format")) return finished(outcome);
  const method = pattern === undefined
    ? eraseMethod(unit)
    : overwriteMethod(unit, [fillBlock(unit.blockSizeBytes, pattern)]);
  return eraseThen(unit, outcomeOf(unit, eraser.format(method)), isImmediate);
}

/** FORMAT UNIT. */
export function formatUnit(
  { logicalUnit: unit }: ItlNexus,
  cdb: Uint8Array,
  fields: typeof FORMAT_UNIT_FIELDS,
): Operation {
  if (isSet(cdb, fields.protection)) return refuseField(fields.protection);
  const hasList = isSet(cdb, fields.hasList);
  // Without a list its other fields are ignored, and all formats of address descriptors but one are reserved.
  if (readField(cdb, fields.defectListFormat) > (hasList ? DEFECT_LIST_FORMAT_MAX : 0)) {
    return refuseField(fields.defectListFormat);
  }
  if (!hasList) return begin(unit, { isImmediate: false, pattern: undefined });
  const layout = isSet(cdb, fields.isLongList) ? LONG_HEADER : SHORT_HEADER;
  const longestBytes = layout.lengthBytes + DESCRIPTOR_BYTES + unit.blockSizeBytes;
  return takeOfferedList(longestBytes, (list) => {
    const parameters = readList(unit, list, layout);
    return "kind" in parameters ? parameters : begin(unit, parameters);
  });
}
