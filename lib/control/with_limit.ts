/**
 * Waits for a promise, but not for ever; what it does later is nobody's business then.
 *
 * @throws {Error} (rejects) with what `onLimit` makes when the time is over
 */
export async function withLimit<T>(promise: Promise<T>, limitMs: number, onLimit: () => Error): Promise<T> {
  const limit = Promise.withResolvers<never>();
  const timer = setTimeout(() => limit.reject(onLimit()), limitMs);
  promise.catch(() => {});
  try {
    return await Promise.race([promise, limit.promise]);
  } finally {
    clearTimeout(timer);
  }
}
