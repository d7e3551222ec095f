import { delay } from "../base/delay.ts";
import type { Clock } from "../iscsi/clock.ts";

/** Calls `run` at every interval; returns a function that stops it. */
export function repeat(clock: Clock, intervalMs: number, run: () => void): () => void {
  let cancel: () => void;
  const schedule = (): void => {
    cancel = clock.after(intervalMs, () => {
      schedule();
      run();
    });
  };
  schedule();
  return () => cancel();
}

/** Waits; an aborted signal ends the wait early, without an error. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return delay(delayMs, signal, (ms, callback) => clock.after(ms, callback));
}
