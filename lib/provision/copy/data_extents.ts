import type { ByteRange } from "../../store/byte_range.ts";
import { runHelperWithin } from "../run_helper.ts";

/** The unit in which offsets are requested: every block of a file system is a multiple of it. */
const UNIT_BYTES = 512;

/** Milliseconds that the search may take. It puts the file on stable storage first. */
const LIMIT_MS = 60_000;

/**
 * Returns the ranges of a file that take space, in ascending order; undefined when they cannot be determined, as on a
 * file system that does not report them. All other bytes read as zeros.
 */
export async function findDataExtents(path: string): Promise<readonly ByteRange[] | undefined> {
  try {
    const args = ["-s", "-v", `-b${UNIT_BYTES}`, "--", path];
    const { success, stdout } = await runHelperWithin("filefrag", args, LIMIT_MS);
    return success ? parseExtents(stdout) : undefined;
  } catch {
    return undefined;
  }
}

/** Parses the output of `filefrag`; undefined when its last line does not have the number of extents found. */
export function parseExtents(text: string): readonly ByteRange[] | undefined {
  const extents = [...text.matchAll(/^ *\d+: *(\d+)\.\. *(\d+):/gm)].map(([, first, last]) => ({
    offset: Number(first) * UNIT_BYTES,
    lengthBytes: (Number(last) - Number(first) + 1) * UNIT_BYTES,
  }));
  const isWhole = / extents? found\s*$/.test(text);
  return isWhole ? extents : undefined;
}
