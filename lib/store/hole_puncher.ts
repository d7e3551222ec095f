import type { ByteRange } from "./byte_range.ts";

/**
 * How an attempt to make holes ended: `refused` when the file system does not take it, and some of the ranges may be
 * holes by then; `abandoned` when the program is about to end.
 */
export type PunchResult = "punched" | "refused" | "abandoned";

/** Gives space of a file back to its file system, which Deno has no call for. */
export interface HolePuncher {
  /** Makes holes of whole granules (`GRANULE_BYTES_MIN`), which are in ascending order. */
  punch(ranges: readonly ByteRange[]): Promise<PunchResult>;
}
