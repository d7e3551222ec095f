import { setImmediate } from "node:timers";

/** Lets all promises go on, and what waits for no timer. A timer takes 2 ms, a turn a hundredth of that. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Lets everything that can go on go on: all promises, and the timers that are due. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 3; round++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** Waits until a condition holds: on a busy machine the start of a worker alone can take many seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let round = 0; round < 20_000; round++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, round < 100 ? 0 : 1));
  }
  throw new Error(`Cannot wait any longer until ${what}`);
}

/** Waits until a condition that takes time to check holds; throws when it has not after many checks. */
export async function untilAsked(condition: () => Promise<boolean>, what: string): Promise<void> {
  for (let round = 0; round < 1_000; round++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`Cannot wait any longer until ${what}`);
}
