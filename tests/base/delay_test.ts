import { assertEquals } from "@std/assert";
import { delay } from "../../lib/base/delay.ts";

Deno.test("delay() ends when its signal is aborted, before or during the wait", async () => {
  const stop = new AbortController();
  const during = delay(1_000_000, stop.signal);
  stop.abort();
  assertEquals([await during, await delay(1_000_000, stop.signal)], [undefined, undefined]);
});

Deno.test("delay() ends by itself, with a signal that is not aborted or without one", async () => {
  await delay(1);
  await delay(1, new AbortController().signal);
});
