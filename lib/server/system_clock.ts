import type { Clock } from "../iscsi/clock.ts";

/** The clock and timers of the system. */
export const systemClock: Clock = {
  now: Date.now,
  monotonicMs: performance.now.bind(performance),
  after(delayMs, callback): () => void {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
