import { assert, assertEquals } from "@std/assert";
import { RateLimit } from "../../lib/base/rate_limit.ts";

/** A clock that a wait advances. */
class WaitedClock {
  nowMs = 0;
  readonly now = (): number => this.nowMs;
  readonly wait = (delayMs: number): Promise<void> => {
    this.nowMs += delayMs;
    return Promise.resolve();
  };
}

Deno.test("RateLimit keeps a rate, and makes no short waits", async () => {
  const clock = new WaitedClock();
  const limit = new RateLimit(1_000_000, clock);
  const moments = new Set<number>();
  for (let taken = 0; taken < 2_000; taken++) {
    await limit.take(1_000);
    moments.add(clock.nowMs);
  }
  assert(clock.nowMs > 1_900 && clock.nowMs <= 2_000, `${clock.nowMs}`);
  assert(moments.size <= 101, `${moments.size}`);
});

Deno.test("RateLimit does not make up for time in which nothing was done", async () => {
  const clock = new WaitedClock();
  const limit = new RateLimit(1_000_000, clock);
  clock.nowMs = 60_000;
  for (let taken = 0; taken < 1_000; taken++) await limit.take(1_000);
  assert(clock.nowMs >= 60_900, `${clock.nowMs}`);
});

Deno.test("RateLimit without a rate never waits", async () => {
  const clock = new WaitedClock();
  const limit = new RateLimit(null, clock);
  for (let taken = 0; taken < 100; taken++) await limit.take(2 ** 40);
  assertEquals(clock.nowMs, 0);
});
