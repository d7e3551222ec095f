/**
 * UNMAP (SBC-3, 5.28): blocks that the initiator has no use for. They read as zeros from then on.
 *
 * ```text
 *  CDB               parameter list                          block descriptor
 *  1   | ANCHOR      0-1 | UNMAP DATA LENGTH                 0-7   | address
 *  7-8 | length      2-3 | UNMAP BLOCK DESCRIPTOR DATA LENGTH 8-11 | number of blocks
 *                    8-  | block descriptors                 12-15 | reserved
 * ```
 */
import { readUint16, readUint32, readUint64 } from "../../bytes/big_endian.ts";
import type { ByteRange } from "../../store/byte_range.ts";
import { FINISHED_GOOD, refused, refusedForField, refusedForParameter } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { finishLater, refuseRange } from "../medium/medium.ts";
import type { Finished, Operation } from "../outcome/operation.ts";
import { refuseReserved, takeParameterList } from "../pages/parameter_list.ts";
import { UNMAP_BLOCKS_MAX, UNMAP_DESCRIPTORS_MAX } from "../pages/provisioning.ts";
import { Sense } from "../outcome/sense.ts";
import { wholeBytes } from "../dispatch/set_bits.ts";
import { unmapRanges } from "../medium/unmap_ranges.ts";

const ANCHOR = 0x01;

const HEADER_BYTES = 8;
const DESCRIPTOR_BYTES = 16;

const RESERVED_OF_HEADER = wholeBytes(4, 7);
const RESERVED_OF_DESCRIPTOR = wholeBytes(12, 15);

/** UNMAP DATA LENGTH counts what follows it, which is no less than the descriptors that the header announces. */
function refuseHeader(list: Uint8Array): Finished | undefined {
  if (readUint16(list, 0) + 2 < HEADER_BYTES + readUint16(list, 2)) return refusedForParameter(0);
  return refuseReserved(list, RESERVED_OF_HEADER);
}

/**
 * The ranges of a parameter list, or why it is not taken. Descriptors that it does not hold in full are not there: a
 * list that is cut off by its length is no error.
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

/** UNMAP. Nothing is unmapped unless every descriptor is right. */
export function unmapBlocks(nexus: ItlNexus, cdb: Uint8Array): Operation {
  if ((cdb[1]! & ANCHOR) !== 0) return refusedForField(1, 0);
  const lengthBytes = readUint16(cdb, 7);
  if (lengthBytes === 0) return FINISHED_GOOD;
  if (lengthBytes < HEADER_BYTES) return refused(Sense.parameterListLengthError);
  return takeParameterList(lengthBytes, (list) => {
    const ranges = readRanges(nexus.logicalUnit, list);
    if (!Array.isArray(ranges)) return ranges;
    return ranges.length === 0 ? FINISHED_GOOD : finishLater(unmapRanges(nexus, ranges));
  });
}
