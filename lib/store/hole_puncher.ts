import type { ByteRange } from "./byte_range.ts";

/**
 * The result of punching holes: `discarded` when the space was given back, but the content of the ranges is not known;
 * `refused` when the file system rejected it, though some of the ranges may be holes by
 * then; `abandoned` when the program is stopping.
 */
export type PunchResult = "punched" | "discarded" | "refused" | "abandoned";

/** A means to deallocate parts of a file, for which Deno has no call. */
export interface HolePuncher {
  /** Punches holes of whole granules (`GRANULE_BYTES_MIN`), in ascending order. */
  punch(ranges: readonly ByteRange[]): Promise<PunchResult>;
}
