/** Work on a range of a medium that is not moved piece by piece with an initiator. */
import { finished } from "../outcome/finished.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import type { Later, Operation } from "../outcome/operation.ts";
import type { Outcome } from "../outcome/outcome.ts";
import type { RangeHold } from "./range_locks.ts";
import { Status } from "../outcome/status.ts";

/** A command that could not get its range for itself: whoever sent it should try again (SAM-5, 5.3.1). */
const BUSY: Outcome = Object.freeze({ status: Status.busy, sense: undefined });

/** Does `work` while no command that must not be interrupted has any of the range. */
export async function sharing<T>(
  unit: LogicalUnit,
  startBytes: number,
  lengthBytes: number,
  work: () => Promise<T>,
): Promise<T> {
  const hold = await unit.ranges.shareLater(startBytes, lengthBytes);
  try {
    return await work();
  } finally {
    unit.ranges.release(hold);
  }
}

/**
 * Puts off a command that has not begun until those have had the range who wait for it.
 *
 * @param begin what the command becomes then; the hold is its own
 */
export function inTurn(
  unit: LogicalUnit,
  startBytes: number,
  lengthBytes: number,
  begin: (hold: RangeHold) => Operation,
): Later {
  const { hold, cancel } = unit.ranges.queue(startBytes, lengthBytes);
  const operation = hold.then((held) => held === undefined ? finished(BUSY) : begin(held));
  return { kind: "later", operation, cancel, changesNothing: true };
}

/**
 * Ends a command with `work` on a range that nobody else touches meanwhile. Until then the command waits for those who
 * do, and does nothing at all if it is aborted before.
 *
 * @param work must not throw
 */
export function exclusively(
  unit: LogicalUnit,
  startBytes: number,
  lengthBytes: number,
  work: () => Promise<Outcome>,
): Later {
  const { hold, cancel } = unit.ranges.lock(startBytes, lengthBytes);
  const operation = hold.then(async (held) => {
    if (held === undefined) return finished(BUSY);
    try {
      return finished(await work());
    } finally {
      unit.ranges.release(held);
    }
  });
  return { kind: "later", operation, cancel };
}
