import { setImmediate } from "node:timers";

/** Resolves when everything else that can go on now has had its turn on the event loop: some microseconds later. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
