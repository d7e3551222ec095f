import type { ByteRange } from "../../store/byte_range.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { outcomeOfFailure } from "./store_error_outcome.ts";

/**
 * Zeroes ranges of a medium and deallocates their space if the store can. It is a transfer like others: it waits for
 * uninterrupted commands that hold any of the ranges, and keeps them out until it is done.
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
