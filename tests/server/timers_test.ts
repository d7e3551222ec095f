import { assertEquals } from "@std/assert";
import type { Clock } from "../../lib/iscsi/clock.ts";
import { pause, repeat } from "../../lib/server/timers.ts";

/** A clock that fires the pending timers on request. */
class ManualClock implements Clock {
  readonly timers = new Map<() => void, number>();

  now(): number {
    return 0;
  }

  monotonicMs(): number {
    return 0;
  }

  after(delayMs: number, callback: () => void): () => void {
    this.timers.set(callback, delayMs);
    return () => this.timers.delete(callback);
  }

  fire(): void {
    const due = [...this.timers.keys()];
    this.timers.clear();
    for (const callback of due) callback();
  }
}

Deno.test("repeat() runs at every interval until it is stopped, also from within", () => {
  const clock = new ManualClock();
  let count = 0;
  const stop = repeat(clock, 7, () => {
    if (++count === 3) stop();
  });
  for (let interval = 0; interval < 5; interval++) {
    assertEquals([...clock.timers.values()], count < 3 ? [7] : []);
    clock.fire();
  }
  assertEquals(count, 3);
});

Deno.test("pause() ends after its time, or early when the signal is aborted, and leaves no timer", async () => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const paused = pause(clock, 7, controller.signal);
  assertEquals([...clock.timers.values()], [7]);
  clock.fire();
  await paused;
  const aborted = pause(clock, 7, controller.signal);
  controller.abort();
  await aborted;
  await pause(clock, 7, controller.signal);
  assertEquals(clock.timers.size, 0);
});
