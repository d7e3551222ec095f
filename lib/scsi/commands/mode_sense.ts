/**
 * MODE SENSE (SPC-4, 6.11 and 6.12): a header, a block descriptor, mode pages.
 *
 * ```text
 *                              (6)   (10)
 *  MODE DATA LENGTH            0     0-1     of the rest, whatever the allocation length
 *  MEDIUM TYPE                 1     2       0
 *  DEVICE-SPECIFIC PARAMETER   2     3       WP, DPOFUA (SBC-3, 6.5.1)
 *  LONGLBA                           4
 *  BLOCK DESCRIPTOR LENGTH     3     6-7
 * ```
 */
import { writeUint16, writeUint32, writeUint64 } from "../../bytes/big_endian.ts";
import {
  ABSENT,
  bitsOf,
  bytesOf,
  type CdbFields,
  isSet,
  readField,
  refuseField,
} from "../dispatch/cdb_field.ts";
import { refused } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { ALL_SUBPAGES, modePageHeader, PageControl, selectModePages } from "../pages/mode_pages.ts";
import type { Finished, Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";
import { Sense } from "../outcome/sense.ts";

/** The fields of both forms. `longLba` is LLBAA, and `noBlockDescriptor` DBD. */
type ModeSenseFields = CdbFields<
  "longLba" | "noBlockDescriptor" | "pageControl" | "pageCode" | "subpage" | "allocationLength"
>;

/** The fields of MODE SENSE(6). */
export const MODE_SENSE_6_FIELDS: ModeSenseFields = {
  longLba: ABSENT,
  noBlockDescriptor: bitsOf(1, 0x08),
  pageControl: bitsOf(2, 0xc0),
  pageCode: bitsOf(2, 0x3f),
  subpage: bytesOf(3, 1),
  allocationLength: bytesOf(4, 1),
};

/** The fields of MODE SENSE(10). */
export const MODE_SENSE_10_FIELDS: ModeSenseFields = {
  ...MODE_SENSE_6_FIELDS,
  longLba: bitsOf(1, 0x10),
  allocationLength: bytesOf(7, 2),
};

const WP = 0x80;
const DPOFUA = 0x10;
const LONGLBA = 0x01;

/** The number of blocks in a short descriptor if it cannot count them (SBC-3, 6.5.2). */
const TOO_MANY_BLOCKS = 0xffff_ffff;

function deviceSpecificParameter(unit: LogicalUnit): number {
  return (unit.writeProtected || unit.modes.softwareWriteProtected ? WP : 0) | DPOFUA;
}

/** Encodes a short LBA mode parameter block descriptor: blocks in 4 bytes, block length in 3 (SBC-3, 6.5.2). */
function encodeShortDescriptor(unit: LogicalUnit): Uint8Array {
  const descriptor = new Uint8Array(8);
  writeUint32(descriptor, 0, Math.min(unit.capacityBlocks, TOO_MANY_BLOCKS));
  writeUint32(descriptor, 4, unit.blockSizeBytes);
  return descriptor;
}

/** Encodes a long LBA mode parameter block descriptor: blocks in 8 bytes, block length in 4 (SBC-3, 6.5.2). */
function encodeLongDescriptor(unit: LogicalUnit): Uint8Array {
  const descriptor = new Uint8Array(16);
  writeUint64(descriptor, 0, unit.capacityBlocks);
  writeUint32(descriptor, 12, unit.blockSizeBytes);
  return descriptor;
}

/** Encodes the pages that a CDB selects, or returns a refusal. */
function encodePages(unit: LogicalUnit, cdb: Uint8Array, fields: ModeSenseFields): Uint8Array | Finished {
  const pageControl = readField(cdb, fields.pageControl);
  const pageCode = readField(cdb, fields.pageCode);
  if (pageControl === PageControl.saved) return refused(Sense.savingParametersNotSupported);
  const pages = selectModePages(pageCode, readField(cdb, fields.subpage));
  if (pages.length === 0) {
    const isUnknown = selectModePages(pageCode, ALL_SUBPAGES).length === 0;
    return refuseField(isUnknown ? fields.pageCode : fields.subpage);
  }
  return Uint8Array.from(pages.flatMap((page) => [
    ...modePageHeader(page),
    ...Array.from(unit.modes.values(page, pageControl)),
  ]));
}

/** Encodes the block descriptor that a CDB selects; empty if it selects none. */
function encodeDescriptor(unit: LogicalUnit, cdb: Uint8Array, fields: ModeSenseFields): Uint8Array {
  if (isSet(cdb, fields.noBlockDescriptor)) return new Uint8Array();
  return isSet(cdb, fields.longLba) ? encodeLongDescriptor(unit) : encodeShortDescriptor(unit);
}

/** MODE SENSE(6). */
export function modeSense6({ logicalUnit }: ItlNexus, cdb: Uint8Array, fields: ModeSenseFields): Operation {
  const pages = encodePages(logicalUnit, cdb, fields);
  if (!(pages instanceof Uint8Array)) return pages;
  const descriptor = encodeDescriptor(logicalUnit, cdb, fields);
  const header = Uint8Array.of(0, 0, deviceSpecificParameter(logicalUnit), descriptor.length);
  const data = Uint8Array.of(...header, ...descriptor, ...pages);
  data[0] = data.length - 1;
  return sendParameterData(data, readField(cdb, fields.allocationLength));
}

/** MODE SENSE(10). */
export function modeSense10({ logicalUnit }: ItlNexus, cdb: Uint8Array, fields: ModeSenseFields): Operation {
  const pages = encodePages(logicalUnit, cdb, fields);
  if (!(pages instanceof Uint8Array)) return pages;
  const header = new Uint8Array(8);
  const isLong = isSet(cdb, fields.longLba) && !isSet(cdb, fields.noBlockDescriptor);
  const descriptor = encodeDescriptor(logicalUnit, cdb, fields);
  header[3] = deviceSpecificParameter(logicalUnit);
  header[4] = isLong ? LONGLBA : 0;
  writeUint16(header, 6, descriptor.length);
  const data = Uint8Array.of(...header, ...descriptor, ...pages);
  writeUint16(data, 0, data.length - 2);
  return sendParameterData(data, readField(cdb, fields.allocationLength));
}
