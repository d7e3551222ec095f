import { StoreError, type StoreErrorKind } from "./block_store.ts";
import { errnoOf, errorMessage } from "../base/error_message.ts";

/** The numbers of the operating system for a lack of space: ENOSPC, and EDQUOT when a quota is full. */
const OUT_OF_SPACE_ERRNOS: readonly number[] = [28, 122];

/**
 * Returns an error of the operating system as a medium's failure. Deno has no `code` for every errno, but always names
 * the number.
 *
 * @param action the words that come before the reason
 */
export function storeError(kind: StoreErrorKind, action: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const reason = errorMessage(error);
  const isFull = kind === "writeFailed" && OUT_OF_SPACE_ERRNOS.includes(errnoOf(error) ?? 0);
  return new StoreError(isFull ? "outOfSpace" : kind, `${action}: ${reason}`, { cause: error });
}
