import type { Clock } from "../iscsi/clock.ts";

/** Waits for a promise, but no longer than `limitMs`. It does not matter how the promise settles. */
export async function untilSettled(promise: Promise<unknown>, limitMs: number, clock: Clock): Promise<void> {
  const { promise: settled, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(limitMs, resolve);
  promise.then(() => resolve(), () => resolve());
  await settled;
  cancel();
}
