/** Sets a timer; returns a function that cancels it. */
export function setTimer(delayMs: number, callback: () => void): () => void {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
}

/**
 * Resolves after a number of milliseconds, or as soon as the signal is aborted; it never rejects.
 *
 * @param after sets the timer
 */
export function delay(delayMs: number, signal?: AbortSignal, after = setTimer): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      cancel();
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const cancel = after(delayMs, finish);
    if (signal?.aborted) finish();
    else signal?.addEventListener("abort", finish, { once: true });
  });
}
