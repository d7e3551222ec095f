/**
 * What the commands that access the medium have in common: the check of their addresses, the store's failures as
 * sense data, and the flush.
 */
import { StoreError, type StoreErrorKind } from "../../store/block_store.ts";
import { CancelledError } from "../outcome/cancellation.ts";
import { CANCELLED, checkCondition, finished, refused, refusedForField } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import type { Finished, Later } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { Sense, type SenseCondition } from "../outcome/sense.ts";

/**
 * The failures of a store. None is given with VALID and an address in INFORMATION: a store fails a piece of many
 * blocks, and to name one of them would be a guess that an initiator may repair by.
 */
const FAILURES: Readonly<Record<StoreErrorKind, SenseCondition>> = {
  readFailed: Sense.unrecoveredReadError,
  writeFailed: Sense.writeError,
  flushFailed: Sense.writeError,
  outOfSpace: Sense.spaceAllocationFailedWriteProtect,
  readOnly: Sense.writeProtected,
};

/** The outcome of a command whose work threw; anything but a failed medium or a cancellation is our own fault. */
export function outcomeOfFailure(error: unknown): Outcome {
  if (error instanceof CancelledError) return CANCELLED.outcome;
  if (!(error instanceof StoreError)) throw error;
  return checkCondition(FAILURES[error.kind]);
}

/**
 * Why blocks cannot be accessed; undefined when they can. No blocks at all are in range up to and including the first
 * address after the last block (SBC-3, 5.11: the address plus the length exceeds the capacity).
 */
export function refuseRange(unit: LogicalUnit, lba: number, blocks: number): Finished | undefined {
  return lba + blocks > unit.capacityBlocks ? refused(Sense.logicalBlockAddressOutOfRange) : undefined;
}

/**
 * Why blocks cannot be transferred; undefined when they can. More than the MAXIMUM TRANSFER LENGTH of the Block Limits
 * VPD page is refused for the field of the CDB that starts at `lengthByte` (SBC-3, 6.6.3).
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

/** Makes everything written so far durable. */
export async function flush(unit: LogicalUnit): Promise<Outcome> {
  try {
    await unit.flush();
    return GOOD;
  } catch (error) {
    return outcomeOfFailure(error);
  }
}

/** Makes what was read durable, if it was newer than the medium (SBC-3, 4.15). */
export async function settle(unit: LogicalUnit): Promise<Outcome> {
  return unit.isDurable ? GOOD : await flush(unit);
}

/** Ends a command with what becomes of an outcome that takes time. */
export function finishLater(
  outcome: Promise<Outcome>,
  options: Pick<Later, "changesNothing"> = {},
): Later {
  return { kind: "later", operation: outcome.then(finished), ...options };
}

/** Makes everything written so far durable for a command that does not wait: a failure is told of afterwards. */
export async function flushInBackground(nexus: ItlNexus): Promise<void> {
  const outcome = await flush(nexus.logicalUnit);
  if (outcome !== GOOD) nexus.establish(Sense.deferredWriteError);
}
