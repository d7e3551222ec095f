import { assertEquals, assertRejects } from "@std/assert";
import { untilAborted } from "../../lib/base/until_aborted.ts";

Deno.test("untilAborted() returns the result, and rejects with the reason or another error", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  assertEquals(await untilAborted(Promise.resolve(1), signal), 1);
  const never = untilAborted(new Promise(() => {}), signal);
  controller.abort(new Error("gone"));
  await assertRejects(() => never, Error, "gone");
  const work = Promise.withResolvers<never>();
  await assertRejects(() => untilAborted(work.promise, signal, () => new Error("other")), Error, "other");
  // An unhandled rejection would fail the test.
  work.reject(new Error("late"));
});

Deno.test("untilAborted() leaves no listener at the signal", async () => {
  const { signal } = new AbortController();
  const listeners = new Set<unknown>();
  const spy = {
    aborted: false,
    addEventListener: (_type: string, listener: unknown) => listeners.add(listener),
    removeEventListener: (_type: string, listener: unknown) => listeners.delete(listener),
    reason: signal.reason,
  } as unknown as AbortSignal;
  await untilAborted(Promise.resolve(), spy);
  await assertRejects(() => untilAborted(Promise.reject(new Error("failed")), spy), Error, "failed");
  assertEquals(listeners.size, 0);
});
