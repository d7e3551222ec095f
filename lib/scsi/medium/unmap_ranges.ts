import type { ByteRange } from "../../store/byte_range.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import { outcomeOfFailure } from "./medium.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";

/**
 * Makes ranges of a medium zero and gives their space back if it can be. It is a transfer like others: it waits for
 * commands that have any of the ranges for themselves, and keeps such commands away until it is done.
 *
 * @param ranges at least one that is not empty
 */
export async function unmapRanges(
  { logicalUnit: unit, traffic }: ItlNexus,
  ranges: readonly ByteRange[],
): Promise<Outcome> {
  const hold = await unit.ranges.shareAllLater(ranges);
  try {
    await unit.store.unmap(ranges);
    for (const { lengthBytes } of ranges) traffic.unmapped(lengthBytes);
    return GOOD;
  } catch (error) {
    return outcomeOfFailure(error);
  } finally {
    unit.ranges.release(hold);
  }
}
