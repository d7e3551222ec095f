/**
 * WRITE SAME (SBC-3, 5.42 and 5.43): writes one block to every address of a range, or zeros, for which it may unmap the
 * blocks. With NDOB the initiator sends no block, and zeros are written.
 *
 * PBDATA and LBDATA, which are obsolete, are refused like every bit that is no field. A length of zero means all blocks
 * from the address on, since WSNZ is zero. UNMAP takes effect only with a block of zeros: unmapped blocks read as
 * zeros, so any other block is written.
 */
import type { BlockFields, WRITE_SAME_10_FLAGS } from "../dispatch/block_cdb.ts";
import { type CdbFields, isSet, readField, refuseField } from "../dispatch/cdb_field.ts";
import { Cancellation } from "../outcome/cancellation.ts";
import { finished, refused } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import { finishLater, refuseRange } from "../medium/medium.ts";
import type { Finished, Operation } from "../outcome/operation.ts";
import { GOOD } from "../outcome/outcome.ts";
import { takeParameterList } from "../pages/parameter_list.ts";
import { sharing } from "../medium/range_access.ts";
import { writeRepeated } from "../medium/repeat_block.ts";
import { Sense } from "../outcome/sense.ts";
import { unmapRanges } from "../medium/unmap_ranges.ts";
import { outcomeOfFailure } from "../medium/store_error_outcome.ts";

/** The fields of WRITE SAME. */
type WriteSameFields = BlockFields & CdbFields<keyof typeof WRITE_SAME_10_FLAGS>;

/** The blocks to write, and whether they may be unmapped. */
interface Extent {
  readonly nexus: ItlNexus;
  readonly lba: number;
  readonly blocks: number;
  readonly mayUnmap: boolean;
}

/** Writes a block to every address of an extent. */
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

/** Takes the block to write, which the initiator must send as exactly one block. */
function takeBlock(extent: Extent): Operation {
  const refusal = refused(Sense.invalidFieldInCommandInformationUnit);
  return takeParameterList(
    extent.nexus.logicalUnit.blockSizeBytes,
    (block) => writeAll(extent, block),
    refusal,
  );
}

/** Returns the blocks that a CDB addresses, or a refusal. */
function readExtent(nexus: ItlNexus, cdb: Uint8Array, fields: WriteSameFields): Extent | Finished {
  if (isSet(cdb, fields.protect)) return refuseField(fields.protect);
  // ANC_SUP is zero; and without UNMAP, ANCHOR is an error in any case.
  if (isSet(cdb, fields.anchor)) return refuseField(fields.anchor);
  const unit = nexus.logicalUnit;
  const lba = readField(cdb, fields.lba);
  const length = readField(cdb, fields.blocks);
  // A length of zero reaches to the end, before which at least one block must lie.
  const refusal = refuseRange(unit, lba, Math.max(length, 1));
  if (refusal !== undefined) return refusal;
  const blocks = length === 0 ? unit.capacityBlocks - lba : length;
  if (blocks > unit.transferLengthMaxBlocks) return refuseField(fields.blocks);
  return { nexus, lba, blocks, mayUnmap: isSet(cdb, fields.unmap) };
}

/** WRITE SAME. */
export function writeSame(nexus: ItlNexus, cdb: Uint8Array, fields: WriteSameFields): Operation {
  const extent = readExtent(nexus, cdb, fields);
  if ("kind" in extent) return extent;
  return isSet(cdb, fields.noDataOutBuffer)
    ? writeAll(extent, new Uint8Array(nexus.logicalUnit.blockSizeBytes))
    : takeBlock(extent);
}
