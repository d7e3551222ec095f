/** Access to ranges of a medium for work that is not transferred in pieces. */
import { finished } from "../outcome/finished.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import type { Later, Operation } from "../outcome/operation.ts";
import type { Outcome } from "../outcome/outcome.ts";
import type { RangeHold } from "./range_locks.ts";
import { Status } from "../outcome/status.ts";

/** The outcome of a command that could not get its range; the initiator should retry it (SAM-5, 5.3.1). */
const BUSY: Outcome = Object.freeze({ status: Status.busy, sense: undefined });

/** Does `work` while no uninterrupted command holds any of the range. */
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
 * Delays a command that has not begun until the earlier requests for the range have been served.
 *
 * @param begin returns the operation of the command, which owns the hold
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
 * Completes a command with `work` on a range that no other command accesses meanwhile. The command first waits for
 * those that do. If it is aborted while it waits, `work` is not called.
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
