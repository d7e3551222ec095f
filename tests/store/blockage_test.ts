import { assert, assertEquals } from "@std/assert";
import { Blockage, BLOCKED_MS } from "../../lib/store/blockage.ts";
import type { Direction } from "../../lib/store/block_store.ts";

const PROMPT_MS = 50;
const CALM_MS = 10_000;
const CALM_COUNT = 32;
const UNDER_WAY_MAX = 4;

/** The blocked directions: reads, writes. */
function blocked(blockage: Blockage): [boolean, boolean] {
  return [blockage.isBlocked("read"), blockage.isBlocked("write")];
}

/** One that has blocked, at time 0. */
function blockedOnce(): Blockage {
  const blockage = new Blockage();
  assert(blockage.tookAtOnce(-BLOCKED_MS, 0));
  return blockage;
}

/** Ends this many operations of this duration, the last of them at a time. */
function run(
  blockage: Blockage,
  direction: Direction,
  count: number,
  options: { ms?: number; end: number },
): void {
  const { ms = PROMPT_MS - 1, end } = options;
  for (let done = 0; done < count; done++) blockage.end(blockage.begin(direction, end - ms), end);
}

Deno.test("Blockage does not begin with operations that are only slow", () => {
  const blockage = new Blockage();
  for (let index = 0; index < 1000; index++) assert(!blockage.tookAtOnce(0, BLOCKED_MS - 0.001));
  run(blockage, "read", 100, { ms: 60_000, end: 60_000 });
  assertEquals(blocked(blockage), [false, false]);
});

Deno.test("Blockage by one operation blocks both directions", () => {
  assertEquals(blocked(blockedOnce()), [true, true]);
});

Deno.test("Blockage of a direction ends when enough operations were prompt for long enough", () => {
  for (const direction of ["read", "write"] as const) {
    const blockage = blockedOnce();
    run(blockage, direction, CALM_COUNT - 1, { end: CALM_MS });
    assertEquals(blocked(blockage), [true, true]);
    run(blockage, direction, 1, { end: CALM_MS });
    assertEquals(blocked(blockage), [direction !== "read", direction !== "write"]);
    // The other direction needs its own evidence, and has had no time to collect it.
    const other = direction === "read" ? "write" : "read";
    run(blockage, other, CALM_COUNT, { end: CALM_MS });
    assertEquals(blocked(blockage), [false, false]);
  }
});

Deno.test("Blockage does not end early, however many operations are prompt", () => {
  const blockage = blockedOnce();
  run(blockage, "read", 1000, { end: CALM_MS - 1 });
  assertEquals(blocked(blockage), [true, true]);
  run(blockage, "read", 1, { end: CALM_MS });
  assertEquals(blocked(blockage), [false, true]);
});

Deno.test("Blockage continues when an operation of either direction is slow", () => {
  for (const slow of ["read", "write"] as const) {
    const blockage = blockedOnce();
    run(blockage, "read", CALM_COUNT, { end: 5_000 });
    run(blockage, slow, 1, { ms: PROMPT_MS, end: 5_000 });
    run(blockage, "read", CALM_COUNT - 1, { end: 5_000 + CALM_MS });
    assertEquals(blocked(blockage), [true, true], "it counts from the start again");
    run(blockage, "read", 1, { end: 5_000 + CALM_MS - 1 });
    assertEquals(blocked(blockage), [true, true], "and so does the time");
    run(blockage, "read", 1, { end: 5_000 + CALM_MS });
    assertEquals(blocked(blockage), [false, true]);
  }
});

Deno.test("Blockage continues while an operation is not prompt", () => {
  const blockage = blockedOnce();
  const hanging = blockage.begin("write", CALM_MS);
  run(blockage, "read", CALM_COUNT, { end: CALM_MS + PROMPT_MS });
  assertEquals(blocked(blockage), [true, true]);
  blockage.end(hanging, CALM_MS + PROMPT_MS);
  run(blockage, "read", CALM_COUNT, { end: 3 * CALM_MS });
  assertEquals(blocked(blockage), [false, true]);
});

Deno.test("Blockage of one direction extends to the other one again", () => {
  const blockage = blockedOnce();
  run(blockage, "read", CALM_COUNT, { end: CALM_MS });
  run(blockage, "write", 1, { ms: BLOCKED_MS - 1, end: CALM_MS });
  assertEquals(blocked(blockage), [false, true]);
  run(blockage, "write", 1, { ms: BLOCKED_MS, end: CALM_MS + 5 });
  assertEquals(blocked(blockage), [true, true]);
  // Earlier prompt operations do not count.
  run(blockage, "read", CALM_COUNT, { end: 2 * CALM_MS + 4 });
  assertEquals(blocked(blockage), [true, true]);
  run(blockage, "read", 1, { end: 2 * CALM_MS + 5 });
  assertEquals(blocked(blockage), [false, true]);
});

Deno.test("Blockage limits the operations of each direction, which are unlimited without it", () => {
  const blockage = new Blockage();
  for (let count = 0; count < 100; count++) {
    assert(blockage.mayBegin("read"));
    blockage.begin("read", 0);
  }
  blockage.tookAtOnce(0, BLOCKED_MS);
  assertEquals([blockage.mayBegin("read"), blockage.mayBegin("write")], [false, true]);
  const writes = Array.from({ length: UNDER_WAY_MAX }, () => blockage.begin("write", 0));
  assertEquals(blockage.mayBegin("write"), false);
  blockage.end(writes[0]!, 0);
  assertEquals(blockage.mayBegin("write"), true);
});

Deno.test("Blockage detects an operation that has not ended for long, although later ones have", () => {
  const blockage = new Blockage();
  assertEquals(blockage.hangs(1e6), false);
  const [first, second] = [blockage.begin("read", 0), blockage.begin("write", 100)];
  assertEquals([blockage.hangs(BLOCKED_MS - 1), blockage.hangs(BLOCKED_MS)], [false, true]);
  blockage.end(first, 200);
  assertEquals([blockage.hangs(BLOCKED_MS + 99), blockage.hangs(BLOCKED_MS + 100)], [false, true]);
  blockage.end(second, 300);
  assertEquals(blockage.hangs(1e6), false);
});

Deno.test("Blockage detects when no untimed operation ends for long", async () => {
  const blockage = new Blockage();
  const works = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
  const [first, second, third] = works as [typeof works[0], typeof works[0], typeof works[0]];
  assertEquals(blockage.follow(first.promise, () => 500), first.promise);
  blockage.follow(second.promise, () => {
    throw new Error("The clock is not read for each of them");
  }).catch(() => {});
  assertEquals([blockage.hangs(500 + BLOCKED_MS - 1), blockage.hangs(500 + BLOCKED_MS)], [false, true]);
  first.resolve();
  await first.promise;
  assertEquals([blockage.hangs(1_000), blockage.hangs(1_000 + BLOCKED_MS - 1)], [false, false]);
  assertEquals(blockage.hangs(1_000 + BLOCKED_MS), true);
  second.reject(new Error("failed"));
  await Promise.allSettled([second.promise]);
  assertEquals(blockage.hangs(3_000), false, "nothing is under way");
  blockage.follow(third.promise, () => 5_000);
  assertEquals([blockage.hangs(5_000 + BLOCKED_MS - 1), blockage.hangs(5_000 + BLOCKED_MS)], [false, true]);
  third.resolve();
});
