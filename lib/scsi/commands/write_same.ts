/**
 * WRITE SAME (SBC-3, 5.42 and 5.43): one block again and again, or zeros, which may mean that blocks are unmapped.
 *
 * ```text
 *            (10)                       (16)
 *   byte 1   WRPROTECT (7-5), ANCHOR (4), UNMAP (3)
 *                                       NDOB (0): no block is sent, and zeros are meant
 *   address  2-5                        2-9
 *   length   7-8                        10-13
 * ```
 *
 * PBDATA (2) and LBDATA (1), which are obsolete, ask for other data in each block: they are refused, as all bits are
 * that no row of the command table takes. No blocks at all means all from the address on, as WSNZ is zero. With UNMAP,
 * blocks whose block is all zeros are unmapped; as others cannot read as what was asked for when they are, they are
 * written.
 */
import { readUint16, readUint32, readUint64 } from "../../bytes/big_endian.ts";
import { Cancellation } from "../outcome/cancellation.ts";
import { finished, refused, refusedForField } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import { finishLater, outcomeOfFailure, refuseRange } from "../medium/medium.ts";
import type { Finished, Operation } from "../outcome/operation.ts";
import { GOOD } from "../outcome/outcome.ts";
import { takeParameterList } from "../pages/parameter_list.ts";
import { sharing } from "../medium/range_access.ts";
import { writeRepeated } from "../medium/repeat_block.ts";
import { Sense } from "../outcome/sense.ts";
import { unmapRanges } from "../medium/unmap_ranges.ts";

const WRPROTECT = 0xe0;
const ANCHOR = 0x10;
const UNMAP = 0x08;
const NDOB = 0x01;

/** The blocks to write, and whether they may be unmapped. */
interface Extent {
  readonly nexus: ItlNexus;
  readonly lba: number;
  readonly blocks: number;
  readonly mayUnmap: boolean;
}

/** Writes a block to all of them. */
function writeAll({ nexus, lba, blocks, mayUnmap }: Extent, block: Uint8Array): Operation {
  const unit = nexus.logicalUnit;
  const range = { offset: lba * block.length, lengthBytes: blocks * block.length };
  if (mayUnmap && block.every((byte) => byte === 0)) return finishLater(unmapRanges(nexus, [range]));
  const cancellation = new Cancellation();
  const written = sharing(
    unit,
    range.offset,
    range.lengthBytes,
    () => unit.scratch.use((scratch) => writeRepeated(unit.store, range, block, { cancellation }, scratch)),
  ).then(() => GOOD, outcomeOfFailure);
  return { kind: "later", operation: written.then(finished), cancel: () => cancellation.cancel() };
}

/** Takes the block that is to be written everywhere; half a block, or two, is none. */
function takeBlock(extent: Extent): Operation {
  const refusal = refused(Sense.invalidFieldInCommandInformationUnit);
  return takeParameterList(
    extent.nexus.logicalUnit.blockSizeBytes,
    (block) => writeAll(extent, block),
    refusal,
  );
}

/** The blocks that a CDB names, or why it is refused. */
function readExtent(
  nexus: ItlNexus,
  flags: number,
  lba: number,
  length: number,
  lengthByte: number,
): Extent | Finished {
  if ((flags & WRPROTECT) !== 0) return refusedForField(1, 7);
  // ANC_SUP is zero; and without UNMAP, ANCHOR is an error anyway.
  if ((flags & ANCHOR) !== 0) return refusedForField(1, 4);
  // No blocks are those up to the end, of which there must be one.
  const unit = nexus.logicalUnit;
  const refusal = refuseRange(unit, lba, Math.max(length, 1));
  if (refusal !== undefined) return refusal;
  const blocks = length === 0 ? unit.capacityBlocks - lba : length;
  if (blocks > unit.transferLengthMaxBlocks) return refusedForField(lengthByte);
  return { nexus, lba, blocks, mayUnmap: (flags & UNMAP) !== 0 };
}

/** WRITE SAME(10). */
export function writeSame10(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const flags = cdb[1]!;
  const extent = readExtent(nexus, flags, readUint32(cdb, 2), readUint16(cdb, 7), 7);
  return "kind" in extent ? extent : takeBlock(extent);
}

/** WRITE SAME(16). */
export function writeSame16(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const flags = cdb[1]!;
  const extent = readExtent(nexus, flags, readUint64(cdb, 2), readUint32(cdb, 10), 10);
  if ("kind" in extent) return extent;
  return (flags & NDOB) === 0
    ? takeBlock(extent)
    : writeAll(extent, new Uint8Array(nexus.logicalUnit.blockSizeBytes));
}
