import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { PASSES_MAX, type RangeHold, RangeLocks } from "../../../lib/scsi/medium/range_locks.ts";
import { RangeTree, type TreeRange } from "../../../lib/base/range_tree.ts";
import { numberFromEnvironment, seededRandom } from "../../support/seeded_random.ts";

/** Returns the current state of a promise. */
function watch<T>(promise: Promise<T>): { value: T | "pending" } {
  const state: { value: T | "pending" } = { value: "pending" };
  promise.then((value) => state.value = value);
  return state;
}

async function settle(): Promise<void> {
  for (let round = 0; round < 10; round++) await Promise.resolve();
}

Deno.test("RangeLocks lets transfers share, and grants an exclusive hold after them", async () => {
  const locks = new RangeLocks();
  const holds = [locks.share(0, 100), locks.share(50, 100)];
  const wanted = watch(locks.lock(99, 1).hold);
  await settle();
  assertFalse(locks.isLocked(0, 1000));
  locks.release(holds[0]!);
  await settle();
  assertEquals(wanted.value, "pending");
  locks.release(holds[1]!);
  await settle();
  assertEquals(wanted.value, { startBytes: 99, endBytes: 100 });
  assert(locks.isLocked(0, 100));
  assertFalse(locks.isLocked(0, 99) || locks.isLocked(100, 1));
});

Deno.test("RangeLocks keeps transfers away from a locked range, and from no other", async () => {
  const locks = new RangeLocks();
  const own = await locks.lock(100, 100).hold;
  const [inside, beside] = [watch(locks.shareLater(199, 10)), watch(locks.shareLater(200, 10))];
  await settle();
  assertEquals([inside.value, beside.value], ["pending", { startBytes: 200, endBytes: 210 }]);
  locks.release(own!);
  await settle();
  assertEquals(inside.value, { startBytes: 199, endBytes: 209 });
});

Deno.test("RangeLocks grants requests for a locked range in order", async () => {
  const locks = new RangeLocks();
  const order: string[] = [];
  const first = await locks.lock(0, 10).hold;
  const begin = (name: string, hold: Promise<RangeHold | undefined>): void => {
    hold.then(async (held) => {
      order.push(name);
      await settle();
      locks.release(held!);
    });
  };
  begin("write", locks.shareLater(0, 10));
  begin("lock", locks.lock(5, 10).hold);
  begin("read", locks.shareLater(0, 10));
  begin("lock again", locks.lock(0, 5).hold);
  locks.release(first!);
  for (let round = 0; round < 10; round++) await settle();
  assertEquals(order, ["write", "read", "lock", "lock again"]);
});

Deno.test("RangeLocks does not delay a transfer for a request that waits", async () => {
  const locks = new RangeLocks();
  const slow = locks.share(0, 10);
  const wanted = watch(locks.lock(0, 10).hold);
  const passing = watch(locks.shareLater(0, 10));
  await settle();
  assert(passing.value !== "pending");
  locks.release(slow);
  await settle();
  assertEquals(wanted.value, "pending");
  locks.release(passing.value as RangeHold);
  await settle();
  assertEquals(wanted.value, { startBytes: 0, endBytes: 10 });
});

Deno.test("RangeLocks delays a shared request in turn for earlier exclusive ones, and no other", async () => {
  const locks = new RangeLocks();
  const slow = locks.share(0, 10);
  assertFalse(locks.isAwaited(0, 10));
  const wanted = watch(locks.lock(0, 10).hold);
  assert(locks.isAwaited(9, 10));
  assertFalse(locks.isAwaited(10, 10));
  const [behind, beside] = [watch(locks.queue(5, 10).hold), watch(locks.queue(10, 5).hold)];
  const given = locks.queue(0, 10);
  given.cancel();
  await settle();
  assertEquals([wanted.value, behind.value, await given.hold], ["pending", "pending", undefined]);
  assert(beside.value !== "pending");
  locks.release(slow);
  await settle();
  assert(wanted.value !== "pending");
  assertEquals(behind.value, "pending");
  locks.release(wanted.value!);
  await settle();
  assertEquals(behind.value, { startBytes: 5, endBytes: 15 });
});

Deno.test("RangeLocks grants the requests after a cancelled one", async () => {
  const locks = new RangeLocks();
  locks.share(0, 10);
  const wanted = locks.lock(0, 10);
  const behind = watch(locks.queue(5, 10).hold);
  await settle();
  assertEquals(behind.value, "pending");
  wanted.cancel();
  await settle();
  assertEquals(behind.value, { startBytes: 5, endBytes: 15 });
  assertFalse(locks.isIdle);
});

Deno.test("RangeLocks grants all possible requests on a release, past one that still waits", async () => {
  const locks = new RangeLocks();
  locks.share(100, 10);
  const waitsOn = watch(locks.lock(100, 10).hold);
  const first = await locks.lock(0, 30).hold;
  const turns = [0, 10, 20].map((startBytes) => watch(locks.queue(startBytes, 10).hold));
  locks.release(first!);
  await settle();
  assertEquals(turns.map(({ value }) => value), [
    { startBytes: 0, endBytes: 10 },
    { startBytes: 10, endBytes: 20 },
    { startBytes: 20, endBytes: 30 },
  ]);
  assertEquals(waitsOn.value, "pending");
});

/** A number that counts how often it is looked at. */
function countingNumber(value: number): { readonly number: number; readonly looks: () => number } {
  let looks = 0;
  const object = {
    valueOf: () => {
      looks++;
      return value;
    },
  };
  return { number: object as unknown as number, looks: () => looks };
}

Deno.test("RangeLocks examines each request a few times per release, however many wait", async () => {
  const locks = new RangeLocks();
  const first = await locks.lock(0, 10).hold;
  const start = countingNumber(0);
  const waiting = Array.from({ length: 500 }, () => watch(locks.lock(start.number, 10).hold));
  const before = start.looks();
  locks.release(first!);
  await settle();
  assertEquals(waiting.filter(({ value }) => value !== "pending").length, 1);
  assert(start.looks() - before < 500 * 8, `${start.looks() - before} looks`);
});

Deno.test("RangeLocks fails a request that is passed too often", async () => {
  const locks = new RangeLocks();
  let hold = locks.share(0, 10);
  const wanted = watch(locks.lock(0, 10).hold);
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    const next = locks.share(0, 10);
    locks.release(hold);
    hold = next;
  }
  locks.share(10, 10);
  await settle();
  assertEquals(wanted.value, "pending");
  locks.share(9, 1);
  await settle();
  assertEquals(wanted.value, undefined);
});

Deno.test("RangeLocks removes a cancelled request, and keeps a granted hold", async () => {
  const locks = new RangeLocks();
  const shared = locks.share(0, 10);
  const request = locks.lock(0, 10);
  request.cancel();
  assertEquals(await request.hold, undefined);
  locks.release(shared);
  const given = locks.lock(0, 10);
  given.cancel();
  assert(await given.hold !== undefined);
  assert(locks.isLocked(0, 10));
});

Deno.test("RangeLocks never grants two overlapping holds of which one is exclusive (seeded)", async () => {
  const locks = new RangeLocks();
  const seed = numberFromEnvironment("FUZZ_SEED", 20070101);
  const random = seededRandom(seed);
  const held = new Set<{ hold: RangeHold; isOwn: boolean }>();
  const check = (hold: RangeHold, isOwn: boolean): void => {
    for (const other of held) {
      const overlaps = other.hold.startBytes < hold.endBytes && hold.startBytes < other.hold.endBytes;
      assertFalse(overlaps && (isOwn || other.isOwn), `FUZZ_SEED=${seed}`);
    }
    held.add({ hold, isOwn });
  };
  let given = 0;
  for (let step = 0; step < 3000; step++) {
    const [start, length, isOwn] = [random(50), 1 + random(20), random(3) === 0];
    const request = isOwn ? locks.lock(start, length).hold : locks.shareLater(start, length);
    request.then((hold) => {
      if (hold === undefined) return;
      given++;
      check(hold, isOwn);
    });
    await settle();
    for (const entry of [...held]) {
      if (random(4) !== 0) continue;
      held.delete(entry);
      locks.release(entry.hold);
    }
  }
  for (let round = 0; round < 5000 && given < 3000; round++) {
    for (const entry of [...held]) {
      held.delete(entry);
      locks.release(entry.hold);
    }
    await settle();
  }
  assertEquals(given, 3000);
  assertThrows(() => check({ startBytes: 0, endBytes: 1000 }, true));
});

Deno.test("RangeLocks covers several ranges by one hold, and nothing between them", async () => {
  const locks = new RangeLocks();
  const between = await locks.lock(100, 50).hold;
  // In any order, one within another.
  const ranges = [[300, 10], [0, 100], [150, 50], [160, 5]]
    .map(([offset, lengthBytes]) => ({ offset: offset!, lengthBytes: lengthBytes! }));
  const hold = await locks.shareAllLater(ranges);
  const other = await locks.shareAllLater([{ offset: 90, lengthBytes: 5 }, { offset: 310, lengthBytes: 90 }]);
  const wanted = [[0, 1], [199, 1], [309, 1], [200, 100], [315, 5], [400, 9]]
    .map(([start, length]) => watch(locks.lock(start!, length!).hold));
  await settle();
  assertEquals(wanted.map(({ value }) => value !== "pending"), [false, false, false, true, false, true]);
  locks.release(hold);
  await settle();
  assertEquals(wanted.map(({ value }) => value !== "pending"), [true, true, true, true, false, true]);
  // 90-95 belongs to the other request, and 0, 199 and 309 are held exclusively by now.
  const waiting = watch(
    locks.shareAllLater([{ offset: 50, lengthBytes: 1 }, { offset: 199, lengthBytes: 1 }]),
  );
  const beside = watch(
    locks.shareAllLater([{ offset: 1, lengthBytes: 98 }, { offset: 198, lengthBytes: 1 }]),
  );
  await settle();
  assertEquals([waiting.value === "pending", beside.value === "pending"], [true, false]);
  locks.release(other);
  locks.release(between!);
  for (const { value } of wanted) if (value !== "pending" && value !== undefined) locks.release(value);
  await settle();
  assert(waiting.value !== "pending" && wanted[4]!.value !== "pending");
});

Deno.test("RangeLocks counts a hold on several ranges as one pass", async () => {
  const locks = new RangeLocks();
  const held = locks.share(0, 1_000_000);
  const wanted = watch(locks.lock(0, 1_000_000).hold);
  const ranges = Array.from(
    { length: PASSES_MAX + 1 },
    (_, index) => ({ offset: index * 100, lengthBytes: 1 }),
  );
  const hold = await locks.shareAllLater(ranges);
  await settle();
  assertEquals(wanted.value, "pending", "it has not been told to give up");
  locks.release(hold);
  locks.release(held);
  await settle();
  assertEquals(wanted.value, { startBytes: 0, endBytes: 1_000_000 });
});

Deno.test("RangeLocks examines one of the requests that wait for the same range, however many there are", async () => {
  const { find } = RangeTree.prototype;
  const searches: number[] = [];
  try {
    for (const count of [10, 1_000]) {
      const locks = new RangeLocks();
      const held = await locks.lock(0, 512).hold;
      const next = Array.from({ length: count }, () => locks.lock(0, 512).hold)[0]!;
      let looks = 0;
      RangeTree.prototype.find = function <Range extends TreeRange>(
        this: RangeTree<Range>,
        other: TreeRange,
        accepts: (range: Range) => boolean,
      ): Range | undefined {
        return find.call(this, other, (range) => (looks++, accepts(range as Range))) as Range | undefined;
      };
      locks.release(held!);
      assert(await next !== undefined);
      searches.push(looks);
      RangeTree.prototype.find = find;
    }
  } finally {
    RangeTree.prototype.find = find;
  }
  assertEquals(searches[0], searches[1]);
});

Deno.test("RangeLocks grants what a request that is passed too often has delayed", async () => {
  const locks = new RangeLocks();
  locks.share(0, 10);
  const failing = watch(locks.lock(0, 20).hold);
  const behind = watch(locks.queue(15, 5).hold);
  await settle();
  assertEquals([failing.value, behind.value], ["pending", "pending"]);
  for (let pass = 0; pass <= PASSES_MAX; pass++) locks.share(0, 10);
  await settle();
  assertEquals([failing.value, behind.value], [undefined, { startBytes: 15, endBytes: 20 }]);
});

Deno.test("RangeLocks does not fail a request because of those before it in the same queue", async () => {
  const locks = new RangeLocks();
  let hold = await locks.lock(0, 10).hold;
  const requests = Array.from({ length: 2 * PASSES_MAX }, () => locks.lock(0, 10));
  for (const request of requests) {
    locks.release(hold!);
    hold = await request.hold;
    assert(hold !== undefined);
  }
  locks.release(hold!);
  assert(locks.isIdle);
});
