import { runHelperWithin } from "../run_helper.ts";

/** Milliseconds that sharing the blocks of a disk may take; writes to it are held meanwhile. */
const SHARE_MS = 3_000;

/**
 * Makes a file a copy of another that shares its blocks. The copy is that of one moment only if nothing writes
 * meanwhile.
 *
 * @returns false when the file system cannot, or not in time; `to` may have any content then
 */
export async function shareBlocks(from: string, to: string): Promise<boolean> {
  try {
    return (await runHelperWithin("cp", ["--reflink=always", "--", from, to], SHARE_MS)).success;
  } catch {
    // Without the program, the blocks are copied.
    return false;
  }
}
