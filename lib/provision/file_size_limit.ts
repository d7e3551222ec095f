import { SIZE_BYTES_MAX } from "../config/size.ts";

/** The number of ext2, ext3 and ext4 (`f_type` of statfs). */
const EXT = 0xef53;
/** The most blocks of a file on them: the range of a logical block number. */
const EXT_BLOCKS_MAX = 2 ** 32 - 1;

/** A file system, as far as it limits the size of files. */
export interface LimitingFileSystem {
  /** The kernel's number of the type (`f_type` of statfs). */
  readonly type: number;
  readonly blockBytes: number;
  /** A file on it; undefined when none is known. */
  readonly sample: string | undefined;
}

/**
 * Returns the size of the largest file that a file system can hold, without a change to it; undefined when that is
 * larger than any LUN, or unknown.
 */
export function largestFileBytes({ type, blockBytes, sample }: LimitingFileSystem): number | undefined {
  // A file without extents has a lower limit of its own, so a sample says nothing about other files there.
  if (type === EXT) return blockBytes * EXT_BLOCKS_MAX;
  return sample === undefined ? undefined : probe(sample);
}

/** Finds the largest offset in a file. The kernel compares offsets with the same limit as sizes. */
function probe(path: string): number | undefined {
  try {
    using file = Deno.openSync(path, { read: true });
    if (canSeek(file, SIZE_BYTES_MAX)) return undefined;
    let [possible, impossible] = [0, SIZE_BYTES_MAX];
    while (impossible - possible > 1) {
      const middle = possible + Math.floor((impossible - possible) / 2);
      if (canSeek(file, middle)) possible = middle;
      else impossible = middle;
    }
    // No size that matters is that small: the file does not say.
    return possible === 0 ? undefined : possible;
  } catch {
    return undefined;
  }
}

function canSeek(file: Deno.FsFile, offset: number): boolean {
  try {
    file.seekSync(offset, Deno.SeekMode.Start);
    return true;
  } catch {
    return false;
  }
}
