import { assertEquals } from "@std/assert";
import { CopyPace } from "../../../lib/provision/copy/copy_pace.ts";

/** A pace with a clock that moves by the work of the test and by rests. */
function paceOf(options: { bytesPerSecond?: number; share?: number }): {
  work: (ms: number, bytes: number) => Promise<void>;
  timeMs: () => number;
} {
  let time = 0;
  const pace = new CopyPace({
    bytesPerSecond: options.bytesPerSecond,
    share: options.share ?? 1,
    now: () => time,
    sleep: (ms) => Promise.resolve(void (time += ms)),
  });
  return {
    work: (ms, bytes) => {
      time += ms;
      return pace.rest(bytes);
    },
    timeMs: () => time,
  };
}

Deno.test("CopyPace keeps to a rate, over any time", async () => {
  const { work, timeMs } = paceOf({ bytesPerSecond: 1_000_000 });
  for (let round = 0; round < 50; round++) await work(round % 7, 100_000);
  assertEquals(timeMs(), 5_000);
});

Deno.test("CopyPace does not catch up by force: slow work is not delayed further", async () => {
  const { work, timeMs } = paceOf({ bytesPerSecond: 1_000_000 });
  await work(10_000, 100_000);
  assertEquals(timeMs(), 10_000);
});

Deno.test("CopyPace works for its share of the time", async () => {
  const { work, timeMs } = paceOf({ share: 0.25 });
  for (let round = 0; round < 100; round++) await work(5, 1_000_000);
  assertEquals(timeMs(), 2_000);
});
