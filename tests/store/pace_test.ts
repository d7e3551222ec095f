import { assert, assertEquals } from "@std/assert";
import { Pace } from "../../lib/store/pace.ts";

const FAST_MS = 0.04;
const ATTEMPT_INTERVAL_MS_MAX = 2_000;

/** Reports a transfer of so many milliseconds, which begins at a time. */
function took(pace: Pace, ms: number, began = 0, bytes = 0): void {
  pace.took(began, began + ms, bytes);
}

/** A pace that has become slow by transfers of this many milliseconds, the last of which ended at 0. */
function slowPace(ms: number): Pace {
  const pace = new Pace(FAST_MS);
  while (!pace.isSlow) took(pace, ms, -ms);
  return pace;
}

Deno.test("Pace times one of several transfers while all are fast, and all after a slow one", () => {
  const pace = new Pace(FAST_MS);
  const timed = Array.from({ length: 64 }, () => pace.isTimed());
  assertEquals(timed.filter((isTimed) => isTimed).length, 4);
  assertEquals(timed.findIndex((isTimed) => isTimed), 15);
  took(pace, FAST_MS + 0.001);
  assert(pace.isTimed() && pace.isTimed());
  let count = 0;
  for (; pace.isTimed(); count++) took(pace, FAST_MS);
  assertEquals(count, 29, "it is forgotten by and by");
});

Deno.test("Pace becomes slow after a few slow transfers, and not after large ones", () => {
  const pace = new Pace(FAST_MS);
  for (let count = 0; count < 1000; count++) took(pace, FAST_MS);
  for (let count = 0; count < 1000; count++) took(pace, FAST_MS + 0.5, 0, 1_000_001);
  assert(!pace.isSlow && pace.mayTry(0));
  let count = 0;
  for (; !pace.isSlow; count++) took(pace, FAST_MS + 0.5, 0, 900_000);
  assertEquals(count, 5);
  assert(pace.isTimed());
});

Deno.test("Pace that is slow tries for a hundredth of the time, and at a minimum rate", () => {
  for (
    const [ms, interval] of [[1, 100], [19, 1_900], [21, ATTEMPT_INTERVAL_MS_MAX], [
      5_000,
      ATTEMPT_INTERVAL_MS_MAX,
    ]]
  ) {
    const pace = slowPace(ms!);
    assertEquals([pace.mayTry(interval! - 1), pace.mayTry(interval!)], [false, true], `${ms} ms`);
  }
});

Deno.test("Pace ends an attempt after some slow transfers, or one very slow one", () => {
  const pace = slowPace(1);
  took(pace, 1, 1_000);
  took(pace, 5, 1_001);
  assert(pace.mayTry(1_006), "an interruption may have done that");
  took(pace, 2, 1_010);
  // The shortest was 1 ms, and there were three.
  assertEquals([pace.mayTry(1_012 + 299), pace.mayTry(1_012 + 300)], [false, true]);
  took(pace, 5.1, 5_000);
  // One of 5.1 ms counts for three.
  assertEquals([pace.mayTry(5_005 + 1_529), pace.mayTry(5_006 + 1_530)], [false, true]);
  took(pace, 1, 8_000);
  assert(pace.mayTry(8_001), "each attempt counts from zero");
});

Deno.test("Pace is fast again after enough fast transfers in one attempt", () => {
  const pace = slowPace(1);
  for (let count = 0; count < 15; count++) took(pace, 0.001, 200 + count);
  assert(pace.isSlow);
  for (let count = 0; count < 3; count++) took(pace, 1, 220);
  assert(!pace.mayTry(222));
  for (let count = 0; count < 15; count++) took(pace, 0.001, 1_000 + count);
  assert(pace.isSlow, "those of the attempt before do not count");
  took(pace, 0.001, 1_020);
  assert(!pace.isSlow && pace.mayTry(1_021));
  assert(!pace.isTimed(), "nothing slow is remembered");
});
