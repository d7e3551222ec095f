import { StoreError, type StoreErrorKind } from "./block_store.ts";
import { errnoOf, errorMessage } from "../base/error_message.ts";

/** The errnos for lack of space: ENOSPC, and EDQUOT for a full quota. */
const OUT_OF_SPACE_ERRNOS: readonly number[] = [28, 122];

/**
 * Converts an operating system error to a failure of the medium. Deno does not set `code` for every errno, but the
 * message contains the number.
 *
 * @param action the words before the reason
 */
export function storeError(kind: StoreErrorKind, action: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const reason = errorMessage(error);
  const isFull = kind === "writeFailed" && OUT_OF_SPACE_ERRNOS.includes(errnoOf(error) ?? 0);
  return new StoreError(isFull ? "outOfSpace" : kind, `${action}: ${reason}`, { cause: error });
}
