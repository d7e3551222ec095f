import { untilAborted } from "../../base/until_aborted.ts";

/**
 * Returns the result of work for a client.
 *
 * @throws {Error} (rejects) as soon as the signal is aborted, because the client has gone
 */
export function untilGone<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return untilAborted(work, signal, () => new Error("the command that makes it has ended"));
}
