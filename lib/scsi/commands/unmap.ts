/**
 * UNMAP (SBC-3, 5.28): frees the space of blocks, which read as zeros afterwards.
 *
 * ```text
 *  parameter list                             block descriptor
 *  0-1 | UNMAP DATA LENGTH                    0-7   | address
 *  2-3 | UNMAP BLOCK DESCRIPTOR DATA LENGTH   8-11  | number of blocks
 *  8-  | block descriptors                    12-15 | reserved
 * ```
 */
import { readUint16, readUint32, readUint64 } from "../../bytes/big_endian.ts";
import type { ByteRange } from "../../store/byte_range.ts";
import { bitsOf, bytesOf, type CdbFields, isSet, readField, refuseField } from "../dispatch/cdb_field.ts";
import { FINISHED_GOOD, refused, refusedForParameter } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { finishLater, refuseRange } from "../medium/medium.ts";
import type { Finished, Operation } from "../outcome/operation.ts";
import { refuseReserved, takeParameterList } from "../pages/parameter_list.ts";
import { UNMAP_BLOCKS_MAX, UNMAP_DESCRIPTORS_MAX } from "../pages/provisioning.ts";
import { Sense } from "../outcome/sense.ts";
import { wholeBytes } from "../dispatch/set_bits.ts";
import { unmapRanges } from "../medium/unmap_ranges.ts";

/** The fields of the CDB. */
export const UNMAP_FIELDS: CdbFields<"anchor" | "listLength"> = {
  anchor: bitsOf(1, 0x01),
  listLength: bytesOf(7, 2),
};

const HEADER_BYTES = 8;
const DESCRIPTOR_BYTES = 16;

const RESERVED_OF_HEADER = wholeBytes(4, 7);
const RESERVED_OF_DESCRIPTOR = wholeBytes(12, 15);

/** Refuses a header whose UNMAP DATA LENGTH leaves no room for the descriptors that it announces. */
function refuseHeader(list: Uint8Array): Finished | undefined {
  if (readUint16(list, 0) + 2 < HEADER_BYTES + readUint16(list, 2)) return refusedForParameter(0);
  return refuseReserved(list, RESERVED_OF_HEADER);
}

/**
 * Returns the ranges of a parameter list, or a refusal. A descriptor that the list does not hold in full is ignored: a
 * list may be truncated by its length.
 */
function readRanges(unit: LogicalUnit, list: Uint8Array): ByteRange[] | Finished {
  const refusal = refuseHeader(list);
  if (refusal !== undefined) return refusal;
  const descriptorBytes = Math.min(readUint16(list, 2), list.length - HEADER_BYTES);
  const count = Math.floor(descriptorBytes / DESCRIPTOR_BYTES);
  if (count > UNMAP_DESCRIPTORS_MAX) return refusedForParameter(2);
  const ranges: ByteRange[] = [];
  let total = 0;
  for (let index = 0; index < count; index++) {
    const offset = HEADER_BYTES + index * DESCRIPTOR_BYTES;
    const lba = readUint64(list, offset);
    const blocks = readUint32(list, offset + 8);
    const refusal = refuseReserved(list, RESERVED_OF_DESCRIPTOR, offset) ?? refuseRange(unit, lba, blocks);
    if (refusal !== undefined) return refusal;
    total += blocks;
    if (total > UNMAP_BLOCKS_MAX) return refusedForParameter(offset + 8);
    ranges.push({ offset: lba * unit.blockSizeBytes, lengthBytes: blocks * unit.blockSizeBytes });
  }
  return ranges.filter(({ lengthBytes }) => lengthBytes > 0);
}

/** UNMAP. Unmaps nothing unless every descriptor is valid. */
export function unmapBlocks(nexus: ItlNexus, cdb: Uint8Array, fields: typeof UNMAP_FIELDS): Operation {
  if (isSet(cdb, fields.anchor)) return refuseField(fields.anchor);
  const lengthBytes = readField(cdb, fields.listLength);
  if (lengthBytes === 0) return FINISHED_GOOD;
  if (lengthBytes < HEADER_BYTES) return refused(Sense.parameterListLengthError);
  return takeParameterList(lengthBytes, (list) => {
    const ranges = readRanges(nexus.logicalUnit, list);
    if (!Array.isArray(ranges)) return ranges;
    return ranges.length === 0 ? FINISHED_GOOD : finishLater(unmapRanges(nexus, ranges));
  });
}
