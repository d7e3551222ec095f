import { assertEquals } from "@std/assert";
import { TrimPace } from "../../../lib/server/target/trim_pace.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { settle } from "../../support/until.ts";

const { signal } = new AbortController();

Deno.test("TrimPace rests nine times as long as a release took, while initiators send commands", async () => {
  const clock = new FakeClock();
  let commands = 0;
  const { release } = new TrimPace({ bytesPerSecond: null, clock, commands: () => commands });
  const work = (): Promise<void> => Promise.resolve(clock.advance(10));
  await release(work, signal);
  commands++;
  let isOver = false;
  const released = release(work, signal).then(() => isOver = true);
  await settle();
  clock.advance(89);
  await settle();
  assertEquals(isOver, false);
  clock.advance(1);
  await released;
  await release(work, signal);
});

Deno.test("TrimPace ends a rest, or a wait for the rate, when the trim is cancelled", async () => {
  const clock = new FakeClock();
  let commands = 0;
  const { release, pace } = new TrimPace({ bytesPerSecond: 1, clock, commands: () => ++commands });
  const controller = new AbortController();
  const waits = [
    release(() => Promise.resolve(clock.advance(10)), controller.signal),
    pace(2 ** 40, controller.signal),
  ];
  await settle();
  assertEquals(clock.waiting, 2);
  controller.abort();
  await Promise.all(waits);
  assertEquals(clock.waiting, 0);
});
