/**
 * Limits of commands that are performed as a whole or not at all. They are reported in the Block Limits VPD page and
 * enforced. The data of such a command is collected in memory first.
 */
import type { LogicalUnit } from "../logical_unit.ts";

/** The largest value of MAXIMUM COMPARE AND WRITE LENGTH, and its limit in bytes. */
const COMPARE_AND_WRITE_MAX_BLOCKS = 255;
const COMPARE_AND_WRITE_MAX_BYTES = 64 * 1024;

/** The minimum that initiators expect of a target with WRITE ATOMIC: 1 MiB with 4 KiB blocks. */
const ATOMIC_WRITE_MAX_BLOCKS = 256;

/**
 * Bytes that the commands of one I_T nexus may have collected, or keep while they wait: the largest ORWRITE with its
 * unsolicited data, or many small commands.
 */
export const COLLECTED_BYTES_MAX = 20 * 1024 * 1024;

/**
 * Bytes of atomic writes that can always be recorded, even on a full file system: all that COMPARE AND WRITE may carry,
 * and WRITE ATOMIC with 512-byte blocks. Space for larger records is taken when it is first needed, because 1,000
 * logical units should not take gigabytes that they never use.
 */
export const RECORDED_BYTES = 128 * 1024;

/** Returns MAXIMUM COMPARE AND WRITE LENGTH (SBC-3, 6.6.3), in blocks. */
export function compareAndWriteMaxBlocks({ blockSizeBytes }: LogicalUnit): number {
  return Math.min(COMPARE_AND_WRITE_MAX_BLOCKS, COMPARE_AND_WRITE_MAX_BYTES / blockSizeBytes);
}

/** Returns MAXIMUM ATOMIC TRANSFER LENGTH (SBC-4, Block Limits VPD page), in blocks. */
export function atomicWriteMaxBlocks({ transferLengthMaxBlocks }: LogicalUnit): number {
  return Math.min(ATOMIC_WRITE_MAX_BLOCKS, transferLengthMaxBlocks);
}
