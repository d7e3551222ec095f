/**
 * MODE SENSE (SPC-4, 6.11 and 6.12): a header, a block descriptor, mode pages.
 *
 * ```text
 *                              (6)   (10)
 *  MODE DATA LENGTH            0     0-1     of what follows, whatever is allocated
 *  MEDIUM TYPE                 1     2       0
 *  DEVICE-SPECIFIC PARAMETER   2     3       WP, DPOFUA (SBC-3, 6.5.1)
 *  LONGLBA                           4
 *  BLOCK DESCRIPTOR LENGTH     3     6-7
 * ```
 */
import { readUint16, writeUint16, writeUint32, writeUint64 } from "../../bytes/big_endian.ts";
import { refused, refusedForField } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { ALL_SUBPAGES, modePageHeader, PageControl, selectModePages } from "../pages/mode_pages.ts";
import type { Finished, Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";
import { Sense } from "../outcome/sense.ts";

/** Byte 1 of the CDB. */
const LLBAA = 0x10;
const DBD = 0x08;

const WP = 0x80;
const DPOFUA = 0x10;
const LONGLBA = 0x01;

/** What a short descriptor says of more blocks than it can count (SBC-3, 6.5.2). */
const TOO_MANY_BLOCKS = 0xffff_ffff;

function deviceSpecificParameter(unit: LogicalUnit): number {
  return (unit.writeProtected || unit.modes.softwareWriteProtected ? WP : 0) | DPOFUA;
}

/** Short LBA mode parameter block descriptor: blocks in 4 bytes, block length in 3 (SBC-3, 6.5.2). */
function encodeShortDescriptor(unit: LogicalUnit): Uint8Array {
  const descriptor = new Uint8Array(8);
  writeUint32(descriptor, 0, Math.min(unit.capacityBlocks, TOO_MANY_BLOCKS));
  writeUint32(descriptor, 4, unit.blockSizeBytes);
  return descriptor;
}

/** Long LBA mode parameter block descriptor: blocks in 8 bytes, block length in 4 (SBC-3, 6.5.2). */
function encodeLongDescriptor(unit: LogicalUnit): Uint8Array {
  const descriptor = new Uint8Array(16);
  writeUint64(descriptor, 0, unit.capacityBlocks);
  writeUint32(descriptor, 12, unit.blockSizeBytes);
  return descriptor;
}

/** The pages that a CDB asks for, or why it cannot have them. */
function encodePages(unit: LogicalUnit, cdb: Uint8Array): Uint8Array | Finished {
  const pageControl = cdb[2]! >>> 6;
  const pageCode = cdb[2]! & 0x3f;
  if (pageControl === PageControl.saved) return refused(Sense.savingParametersNotSupported);
  const pages = selectModePages(pageCode, cdb[3]!);
  if (pages.length === 0) {
    return selectModePages(pageCode, ALL_SUBPAGES).length === 0 ? refusedForField(2, 5) : refusedForField(3);
  }
  return Uint8Array.from(pages.flatMap((page) => [
    ...modePageHeader(page),
    ...Array.from(unit.modes.values(page, pageControl)),
  ]));
}

/** The block descriptor that the flags of a CDB ask for; empty if they ask for none. */
function encodeDescriptor(unit: LogicalUnit, flags: number): Uint8Array {
  if ((flags & DBD) !== 0) return new Uint8Array();
  return (flags & LLBAA) === 0 ? encodeShortDescriptor(unit) : encodeLongDescriptor(unit);
}

/** MODE SENSE(6). */
export function modeSense6({ logicalUnit }: ItlNexus, cdb: Uint8Array): Operation {
  const pages = encodePages(logicalUnit, cdb);
  if (!(pages instanceof Uint8Array)) return pages;
  const descriptor = encodeDescriptor(logicalUnit, cdb[1]! & DBD);
  const header = Uint8Array.of(0, 0, deviceSpecificParameter(logicalUnit), descriptor.length);
  const data = Uint8Array.of(...header, ...descriptor, ...pages);
  data[0] = data.length - 1;
  return sendParameterData(data, cdb[4]!);
}

/** MODE SENSE(10). */
export function modeSense10({ logicalUnit }: ItlNexus, cdb: Uint8Array): Operation {
  const pages = encodePages(logicalUnit, cdb);
  if (!(pages instanceof Uint8Array)) return pages;
  const flags = cdb[1]!;
  const header = new Uint8Array(8);
  const isLong = (flags & (DBD | LLBAA)) === LLBAA;
  const descriptor = encodeDescriptor(logicalUnit, flags);
  header[3] = deviceSpecificParameter(logicalUnit);
  header[4] = isLong ? LONGLBA : 0;
  writeUint16(header, 6, descriptor.length);
  const data = Uint8Array.of(...header, ...descriptor, ...pages);
  writeUint16(data, 0, data.length - 2);
  return sendParameterData(data, readUint16(cdb, 7));
}
