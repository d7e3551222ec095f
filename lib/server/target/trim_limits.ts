import type { ByteRange } from "../../store/byte_range.ts";

/** The limits of a trim, and what the supervisor knows about the medium. */
export interface TrimLimits {
  /** Ranges outside which the medium takes no space, in ascending order; null when that is unknown. */
  readonly extents: readonly ByteRange[] | null;
  /** Null for no limit. */
  readonly bytesPerSecond: number | null;
}
