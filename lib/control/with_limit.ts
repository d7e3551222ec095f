/**
 * Waits for a promise with a time limit. A later result or rejection is ignored.
 *
 * @throws {Error} (rejects) with the error of `onLimit` after the limit
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
