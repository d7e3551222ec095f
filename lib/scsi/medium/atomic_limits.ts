/**
 * How much a command may carry that is done as a whole or not at all; told in the Block Limits VPD page and enforced.
 * Its data is collected in memory before anything is done.
 */
import type { LogicalUnit } from "../logical_unit.ts";

/** What MAXIMUM COMPARE AND WRITE LENGTH can say at most, and what it comes to at most. */
const COMPARE_AND_WRITE_MAX_BLOCKS = 255;
const COMPARE_AND_WRITE_MAX_BYTES = 64 * 1024;

/** What initiators expect of any target that knows the command: 1 MiB, if a block has 4 KiB. */
const ATOMIC_WRITE_MAX_BLOCKS = 256;

/**
 * Data that the commands of one I_T nexus may have collected, or keep while they wait for their turn: the largest
 * ORWRITE with what came unasked for it, or many small commands.
 */
export const COLLECTED_BYTES_MAX = 20 * 1024 * 1024;

/**
 * Bytes of writes done as a whole for which there is always space to record them, even on a full file system: all that
 * COMPARE AND WRITE may carry, and WRITE ATOMIC with blocks of 512 bytes. For more, space is taken when it is first
 * needed: 1,000 logical units should not take gigabytes that they never use.
 */
export const RECORDED_BYTES = 128 * 1024;

/** MAXIMUM COMPARE AND WRITE LENGTH (SBC-3, 6.6.3), in blocks. */
export function compareAndWriteMaxBlocks({ blockSizeBytes }: LogicalUnit): number {
  return Math.min(COMPARE_AND_WRITE_MAX_BLOCKS, COMPARE_AND_WRITE_MAX_BYTES / blockSizeBytes);
}

/** MAXIMUM ATOMIC TRANSFER LENGTH (SBC-4, Block Limits VPD page), in blocks. */
export function atomicWriteMaxBlocks({ transferLengthMaxBlocks }: LogicalUnit): number {
  return Math.min(ATOMIC_WRITE_MAX_BLOCKS, transferLengthMaxBlocks);
}
