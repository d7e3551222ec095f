import { StoreError, type StoreErrorKind } from "../../store/block_store.ts";
import { CancelledError } from "../outcome/cancellation.ts";
import { CANCELLED, checkCondition } from "../outcome/finished.ts";
import type { Outcome } from "../outcome/outcome.ts";
import { Sense, type SenseCondition } from "../outcome/sense.ts";

/**
 * Sense conditions of store errors. INFORMATION with an address (VALID) is never given: a store fails a piece of many
 * blocks, and naming one would be a guess that an initiator may act on.
 */
const FAILURES: Readonly<Record<StoreErrorKind, SenseCondition>> = {
  readFailed: Sense.unrecoveredReadError,
  writeFailed: Sense.writeError,
  flushFailed: Sense.writeError,
  outOfSpace: Sense.spaceAllocationFailedWriteProtect,
  readOnly: Sense.writeProtected,
};

/**
 * Returns the outcome of a command whose work threw. An error that is neither a store error nor a cancellation is a
 * bug, and is thrown again.
 */
export function outcomeOfFailure(error: unknown): Outcome {
  if (error instanceof CancelledError) return CANCELLED.outcome;
  if (!(error instanceof StoreError)) throw error;
  return checkCondition(FAILURES[error.kind]);
}
