/**
 * MODE SELECT (SPC-4, 6.9 and 6.10): takes a parameter list in the layout of MODE SENSE, as a whole or not at all.
 *
 * Parameters are not saved, so SP is refused. RTD resets every page to its default values, without a list.
 */
import { readUint16, readUint24, readUint32, readUint64 } from "../../bytes/big_endian.ts";
import { bitsOf, bytesOf, type CdbFields, isSet, readField, refuseField } from "../dispatch/cdb_field.ts";
import { FINISHED_GOOD, refused, refusedForParameter } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import {
  findModePage,
  type ModePage,
  modePageHeader,
  type ModeParameters,
  PageControl,
} from "../pages/mode_pages.ts";
import type { Finished, Operation } from "../outcome/operation.ts";
import { refuseReserved, takeParameterList } from "../pages/parameter_list.ts";
import { Sense } from "../outcome/sense.ts";
import { type Bits, highestBit, wholeBytes } from "../dispatch/set_bits.ts";

/** Byte 1 of the CDB: PF, RTD and SP. */
const FLAGS: CdbFields<"pageFormat" | "resetsToDefaults" | "savesPages"> = {
  pageFormat: bitsOf(1, 0x10),
  resetsToDefaults: bitsOf(1, 0x02),
  savesPages: bitsOf(1, 0x01),
};

type ModeSelectFields = CdbFields<keyof typeof FLAGS | "listLength">;

/** The fields of MODE SELECT(6). */
export const MODE_SELECT_6_FIELDS: ModeSelectFields = { ...FLAGS, listLength: bytesOf(4, 1) };

/** The fields of MODE SELECT(10). */
export const MODE_SELECT_10_FIELDS: ModeSelectFields = { ...FLAGS, listLength: bytesOf(7, 2) };

/** PS in the first byte of a page, which is reserved in MODE SELECT. */
const PS = 0x80;

const SHORT_DESCRIPTOR_BYTES = 8;
const LONG_DESCRIPTOR_BYTES = 16;
const RESERVED_OF_SHORT: Bits = [4, 0xff];
const RESERVED_OF_LONG = wholeBytes(8, 11);

/** DEVICE-SPECIFIC PARAMETER without WP and DPOFUA, which an initiator may send as it received them. */
const NOT_WP_OR_DPOFUA = 0x6f;

/** The fields of the two forms of the header. MODE DATA LENGTH is reserved; WP and DPOFUA have no effect. */
interface HeaderLayout {
  readonly lengthBytes: number;
  readonly mediumTypeByte: number;
  /** Undefined if block descriptors are always short. */
  readonly longLbaByte: number | undefined;
  readonly descriptorLengthByte: number;
  /** The bits that are neither a field nor set by MODE SENSE. */
  readonly reserved: Bits;
  readonly readDescriptorLength: (list: Uint8Array) => number;
}

const HEADER_6: HeaderLayout = {
  lengthBytes: 4,
  mediumTypeByte: 1,
  longLbaByte: undefined,
  descriptorLengthByte: 3,
  reserved: [2, NOT_WP_OR_DPOFUA],
  readDescriptorLength: (list) => list[3]!,
};

const HEADER_10: HeaderLayout = {
  lengthBytes: 8,
  mediumTypeByte: 2,
  longLbaByte: 4,
  descriptorLengthByte: 6,
  reserved: [3, NOT_WP_OR_DPOFUA, 4, 0xfe, 5, 0xff],
  readDescriptorLength: (list) => readUint16(list, 6),
};

/** The parameters of one page in a list. */
interface Change {
  readonly page: ModePage;
  readonly parameters: Uint8Array;
}

/**
 * Refuses a block descriptor that would change the number of blocks or their length; undefined when it changes neither.
 * Zero means no change, and all ones mean all blocks (SBC-3, 6.5.2). Another length would need a format.
 */
function refuseDescriptor(
  unit: LogicalUnit,
  list: Uint8Array,
  offset: number,
  isLong: boolean,
): Finished | undefined {
  const blocks = isLong ? readUint64(list, offset) : readUint32(list, offset);
  const most = isLong ? 2 ** 64 : 0xffff_ffff;
  if (blocks !== 0 && blocks !== most && blocks !== unit.capacityBlocks) return refusedForParameter(offset);
  const lengthByte = offset + (isLong ? 12 : 5);
  const blockLength = isLong ? readUint32(list, lengthByte) : readUint24(list, lengthByte);
  if (blockLength !== unit.blockSizeBytes) return refusedForParameter(lengthByte);
  return refuseReserved(list, isLong ? RESERVED_OF_LONG : RESERVED_OF_SHORT, offset);
}

/** Refuses an invalid header or block descriptor; undefined when both are valid. */
function refuseHeader(unit: LogicalUnit, list: Uint8Array, layout: HeaderLayout): Finished | undefined {
  if (list[layout.mediumTypeByte] !== 0) return refusedForParameter(layout.mediumTypeByte);
  const refusal = refuseReserved(list, layout.reserved);
  if (refusal !== undefined) return refusal;
  const isLong = layout.longLbaByte !== undefined && (list[layout.longLbaByte]! & 1) !== 0;
  const length = layout.readDescriptorLength(list);
  if (length === 0) return undefined;
  if (length !== (isLong ? LONG_DESCRIPTOR_BYTES : SHORT_DESCRIPTOR_BYTES)) {
    return refusedForParameter(layout.descriptorLengthByte);
  }
  if (layout.lengthBytes + length > list.length) return refused(Sense.parameterListLengthError);
  return refuseDescriptor(unit, list, layout.lengthBytes, isLong);
}

/** Refuses parameters that cannot be changed, or not to this value; undefined when the page accepts them. */
function refuseParameters(
  modes: ModeParameters,
  page: ModePage,
  parameters: Uint8Array,
  offset: number,
): Finished | undefined {
  const current = modes.values(page, PageControl.current);
  const changeable = modes.values(page, PageControl.changeable);
  for (const [index, value] of parameters.entries()) {
    const fixed = (value ^ current[index]!) & ~changeable[index]!;
    if (fixed !== 0) return refusedForParameter(offset + index, highestBit(fixed));
  }
  const fault = page.findFault?.(parameters);
  return fault === undefined ? undefined : refusedForParameter(offset + fault.byte, fault.bit);
}

/** Returns the page that starts at `offset` of a list, or a refusal. */
function readPage(modes: ModeParameters, list: Uint8Array, offset: number): Change | Finished {
  if (offset + 2 > list.length) return refused(Sense.parameterListLengthError);
  const page = findModePage(list, offset);
  if (page === undefined) return refusedForParameter(offset, 5);
  const header = modePageHeader(page);
  const start = offset + header.length;
  const end = start + page.defaults.length;
  if (start > list.length) return refused(Sense.parameterListLengthError);
  const wrong = header.findIndex((byte, index) =>
    (list[offset + index]! & (index === 0 ? ~PS : 0xff)) !== byte
  );
  if (wrong >= 0) return refusedForParameter(offset + wrong);
  if (end > list.length) return refused(Sense.parameterListLengthError);
  const parameters = list.subarray(start, end);
  return refuseParameters(modes, page, parameters, start) ?? { page, parameters };
}

/** Applies a complete list. */
function select(nexus: ItlNexus, list: Uint8Array, layout: HeaderLayout): Operation {
  const { logicalUnit } = nexus;
  if (list.length < layout.lengthBytes) return refused(Sense.parameterListLengthError);
  const refusal = refuseHeader(logicalUnit, list, layout);
  if (refusal !== undefined) return refusal;
  const changes: Change[] = [];
  for (let offset = layout.lengthBytes + layout.readDescriptorLength(list); offset < list.length;) {
    const change = readPage(logicalUnit.modes, list, offset);
    if ("kind" in change) return change;
    changes.push(change);
    offset += modePageHeader(change.page).length + change.parameters.length;
  }
  logicalUnit.changeModes(nexus, (modes) =>
    // filter() and not some(): every page must be set.
    changes.filter(({ page, parameters }) => modes.set(page, parameters)).length > 0);
  return FINISHED_GOOD;
}

function modeSelect(
  nexus: ItlNexus,
  cdb: Uint8Array,
  fields: ModeSelectFields,
  layout: HeaderLayout,
): Operation {
  const lengthBytes = readField(cdb, fields.listLength);
  if (isSet(cdb, fields.savesPages)) return refuseField(fields.savesPages);
  if (isSet(cdb, fields.resetsToDefaults)) {
    if (lengthBytes !== 0) return refuseField(fields.listLength);
    nexus.logicalUnit.changeModes(nexus, (modes) => modes.reset());
    return FINISHED_GOOD;
  }
  if (lengthBytes === 0) return FINISHED_GOOD;
  // Without PF the pages are in a vendor-specific format, which is not supported.
  if (!isSet(cdb, fields.pageFormat)) return refuseField(fields.pageFormat);
  return takeParameterList(lengthBytes, (list) => select(nexus, list, layout));
}

/** MODE SELECT(6). */
export function modeSelect6(nexus: ItlNexus, cdb: Uint8Array, fields: ModeSelectFields): Operation {
  return modeSelect(nexus, cdb, fields, HEADER_6);
}

/** MODE SELECT(10). */
export function modeSelect10(nexus: ItlNexus, cdb: Uint8Array, fields: ModeSelectFields): Operation {
  return modeSelect(nexus, cdb, fields, HEADER_10);
}
