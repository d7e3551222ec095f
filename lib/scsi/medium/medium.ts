/** Common parts of the commands that access the medium: range checks, flushes, and commands that complete later. */
import { finished, refused, refusedForField } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import type { Finished, Later } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { Sense } from "../outcome/sense.ts";
import { outcomeOfFailure } from "./store_error_outcome.ts";

/**
 * Refuses a range beyond the capacity; returns undefined for a valid range. An empty range is valid up to and including
 * the first address after the last block (SBC-3, 5.11: the address plus the length exceeds the capacity).
 */
export function refuseRange(unit: LogicalUnit, lba: number, blocks: number): Finished | undefined {
  return lba + blocks > unit.capacityBlocks ? refused(Sense.logicalBlockAddressOutOfRange) : undefined;
}

/**
 * Refuses a transfer beyond the capacity, or longer than MAXIMUM TRANSFER LENGTH of the Block Limits VPD page (SBC-3,
 * 6.6.3); returns undefined for a valid one. `lengthByte` is the first byte of the transfer length in the CDB.
 */
export function refuseTransfer(
  unit: LogicalUnit,
  lba: number,
  blocks: number,
  lengthByte: number,
): Finished | undefined {
  const refusal = refuseRange(unit, lba, blocks);
  if (refusal !== undefined) return refusal;
  return blocks > unit.transferLengthMaxBlocks ? refusedForField(lengthByte) : undefined;
}

/** Puts all completed writes on stable storage. */
export async function flush(unit: LogicalUnit): Promise<Outcome> {
  try {
    await unit.flush();
    return GOOD;
  } catch (error) {
    return outcomeOfFailure(error);
  }
}

/** Puts what was read on stable storage, if it is newer than the medium (SBC-3, 4.15). */
export async function settle(unit: LogicalUnit): Promise<Outcome> {
  return unit.isDurable ? GOOD : await flush(unit);
}

/** Returns a command that completes with the outcome of asynchronous work. */
export function finishLater(
  outcome: Promise<Outcome>,
  options: Pick<Later, "changesNothing"> = {},
): Later {
  return { kind: "later", operation: outcome.then(finished), ...options };
}

/** Flushes for a command that has completed already; a failure is reported as a deferred error. */
export async function flushInBackground(nexus: ItlNexus): Promise<void> {
  const outcome = await flush(nexus.logicalUnit);
  if (outcome !== GOOD) nexus.establish(Sense.deferredWriteError);
}
