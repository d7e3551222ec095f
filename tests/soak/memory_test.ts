import { assert, assertEquals } from "@std/assert";
import { findTrend, type Sample } from "./_memory.ts";

/** Returns a sample a minute for an hour. */
function hour(mebibytesAt: (minute: number) => number): Sample[] {
  return Array.from(
    { length: 61 },
    (_, minute) => ({ seconds: minute * 60, mebibytes: mebibytesAt(minute) }),
  );
}

Deno.test("findTrend() finds the slope of a straight line", () => {
  const trend = findTrend(hour((minute) => 100 + minute * 2))!;
  assertEquals(Math.round(trend.mebibytesPerHour), 120);
  assertEquals([Math.round(trend.grownMebibytes), trend.isFlat], [100, false]);
});

Deno.test("findTrend() leaves the warm-up out, and takes noise for flat", () => {
  const trend = findTrend(hour((minute) => minute < 10 ? 20 * minute : 200 + minute % 5))!;
  assert(Math.abs(trend.mebibytesPerHour) < 1, `${trend.mebibytesPerHour}`);
  assertEquals(trend.isFlat, true);
});

Deno.test("findTrend() takes less memory for flat, and finds nothing in too few samples", () => {
  assertEquals(findTrend(hour((minute) => 300 - minute))?.isFlat, true);
  assertEquals(findTrend(hour(() => 1).slice(0, 2)), undefined);
});
