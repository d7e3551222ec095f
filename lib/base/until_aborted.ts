/**
 * Returns the result of work, unless a signal is aborted before. Nothing stays at the signal afterwards, however long
 * it lives.
 *
 * @param toError returns the error of the abort: the reason of the signal by default
 * @throws {unknown} (rejects) with that error as soon as the signal is aborted; what the work does later is ignored
 */
export async function untilAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
  toError: () => unknown = () => signal.reason,
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(toError());
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
