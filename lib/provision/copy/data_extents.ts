import type { ByteRange } from "../../store/byte_range.ts";
import { runHelperWithin } from "../run_helper.ts";

/** The unit in which offsets are requested: every block of a file system is a multiple of it. */
const UNIT_BYTES = 512;

/** The least part of the space of a file that its extents have. Some of it is metadata. */
const PLAUSIBLE_SHARE = 0.95;

/** Milliseconds that the search may take. It puts the file on stable storage first. */
const LIMIT_MS = 60_000;

/**
 * Returns the ranges of a file that take space, in ascending order; undefined when they cannot be determined, as on a
 * file system that does not report them. All other bytes read as zeros.
 */
export async function findDataExtents(path: string): Promise<readonly ByteRange[] | undefined> {
  try {
    // The extents of a device node say nothing about the device.
    const { isFile, blocks } = Deno.statSync(path);
    if (!isFile) return undefined;
    const args = ["-s", "-v", `-b${UNIT_BYTES}`, "--", path];
    const { success, stdout } = await runHelperWithin("filefrag", args, LIMIT_MS);
    const extents = success ? parseExtents(stdout) : undefined;
    return isPlausible(extents, (blocks ?? 0) * UNIT_BYTES) ? extents : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Returns whether extents account for nearly all of the space that a file takes. An answer that lacked some would make
 * zeros of data, so one that may is not used.
 */
export function isPlausible(extents: readonly ByteRange[] | undefined, allocatedBytes: number): boolean {
  const coveredBytes = extents?.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0) ?? 0;
  return coveredBytes >= allocatedBytes * PLAUSIBLE_SHARE;
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
