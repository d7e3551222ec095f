import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { StoreError } from "../../lib/store/block_store.ts";
import { type ByteRange, overlapsAny } from "../../lib/store/byte_range.ts";
import { FileStore } from "../../lib/store/file_store.ts";
import type { HolePuncher, PunchResult } from "../../lib/store/hole_puncher.ts";
import { ThinStore } from "../../lib/store/thin_store.ts";
import { fallocatePuncher } from "../support/fallocate_puncher.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { GatedPuncher } from "../support/gated_puncher.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { numberFromEnvironment, seededRandom } from "../support/seeded_random.ts";
import { SlowStore } from "../support/slow_store.ts";
import { countSteps } from "../support/step_counter.ts";
import { testWithTools } from "../support/tools.ts";

const KIB4 = 4096;
const SIZE_BYTES = 64 * KIB4;

interface Fixture {
  readonly memory: MemoryStore;
  readonly puncher: GatedPuncher;
  readonly store: ThinStore;
}

/** A thin store whose bytes are all A5h. */
function fullStore(): Fixture {
  const memory = new MemoryStore({ sizeBytes: SIZE_BYTES, canUnmap: true });
  memory.writeNow(0, new Uint8Array(SIZE_BYTES).fill(0xa5));
  const puncher = new GatedPuncher(memory);
  return { memory, puncher, store: new ThinStore(memory, { puncher, isEmpty: false }) };
}

function contentOf(memory: MemoryStore, offset: number, lengthBytes: number): Uint8Array {
  const into = new Uint8Array(lengthBytes);
  memory.readNow(offset, into);
  return into;
}

/** Waits until everything that waits for nothing else has run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

Deno.test("ThinStore punches whole granules, and writes zeros to the edges of a range", async () => {
  const { memory, puncher, store } = fullStore();
  assertEquals([store.canUnmap, store.readOnly, store.sizeBytes], [true, false, SIZE_BYTES]);
  const done = store.unmap([{ offset: KIB4 - 512, lengthBytes: 3 * KIB4 }]);
  assertEquals(puncher.requests, [[{ offset: KIB4, lengthBytes: 2 * KIB4 }]]);
  puncher.release();
  await done;
  assertEquals(contentOf(memory, KIB4 - 513, 1), Uint8Array.of(0xa5));
  assertEquals(contentOf(memory, KIB4 - 512, 3 * KIB4), new Uint8Array(3 * KIB4));
  assertEquals(contentOf(memory, 4 * KIB4 - 512, 1), Uint8Array.of(0xa5));
  assertEquals(memory.pageCount, 62);
  assertEquals(store.extentAt(KIB4), { isMapped: false, endBytes: 3 * KIB4 });
});

Deno.test("ThinStore zeroes what a discard has left, and then takes it for unmapped", async () => {
  const { memory, puncher, store } = fullStore();
  memory.writeNow(KIB4, new Uint8Array(KIB4));
  const writes = memory.writeCount;
  const done = store.unmap([{ offset: 0, lengthBytes: 3 * KIB4 }]);
  puncher.release("discarded");
  await done;
  assertEquals(contentOf(memory, 0, 3 * KIB4), new Uint8Array(3 * KIB4));
  // Zeros are written only over other bytes.
  assertEquals(memory.writeCount - writes, 2);
  assertEquals(store.extentAt(0), { isMapped: false, endBytes: 3 * KIB4 });
});

Deno.test("ThinStore merges requests that arrive while a hole is punched", async () => {
  const { memory, puncher, store } = fullStore();
  const all = [0, 1, 2, 3, 9].map((page) => store.unmap([{ offset: page * KIB4, lengthBytes: KIB4 }]));
  puncher.release();
  await all[0];
  assertEquals(puncher.requests, [
    [{ offset: 0, lengthBytes: KIB4 }],
    [{ offset: KIB4, lengthBytes: 3 * KIB4 }, { offset: 9 * KIB4, lengthBytes: KIB4 }],
  ]);
  puncher.release();
  await Promise.all(all);
  assertEquals(memory.pageCount, 59);
});

Deno.test("ThinStore delays a write for a hole that it touches, and for no other", async () => {
  const { memory, puncher, store } = fullStore();
  const unmapped = store.unmap([{ offset: 8 * KIB4, lengthBytes: KIB4 }]);
  const next = store.unmap([{ offset: 20 * KIB4, lengthBytes: KIB4 }]);
  const bytes = new Uint8Array(512).fill(0x5a);
  assertFalse(store.writeNow(0, bytes), "the kernel would make the event loop wait");
  assertFalse(store.readNow(0, new Uint8Array(512)));
  await store.write(0, bytes);
  const ended: string[] = [];
  const touching = store.write(9 * KIB4 - 512, bytes).then(() => ended.push("touching"));
  const touchingNext = store.write(20 * KIB4, bytes).then(() => ended.push("touching next"));
  await settle();
  assertEquals(ended, []);
  puncher.release();
  await Promise.all([unmapped, touching]);
  assertEquals(ended, ["touching"]);
  puncher.release();
  await Promise.all([next, touchingNext]);
  assertEquals(contentOf(memory, 9 * KIB4 - 512, 512), bytes);
  assertEquals(contentOf(memory, 20 * KIB4, 512), bytes);
  assertEquals(contentOf(memory, 8 * KIB4, 512), new Uint8Array(512));
  assert(store.writeNow(0, bytes), "nothing is under way any more");
});

Deno.test("ThinStore punches no hole where one is known", async () => {
  const memory = new MemoryStore({ sizeBytes: SIZE_BYTES, canUnmap: true });
  const puncher = new GatedPuncher(memory);
  const store = new ThinStore(memory, { puncher, isEmpty: true });
  await store.unmap([{ offset: 100, lengthBytes: SIZE_BYTES - 200 }]);
  assertEquals([puncher.requests.length, memory.writeCount], [0, 0]);
  assert(store.writeNow(5 * KIB4, new Uint8Array(512)));
  const done = store.unmap([{ offset: 100, lengthBytes: SIZE_BYTES - 200 }]);
  puncher.release();
  await done;
  assertEquals([puncher.requests.length, memory.pageCount], [1, 0]);
});

Deno.test("ThinStore never overlaps a write and a hole, whichever is first", async () => {
  const { memory, puncher } = fullStore();
  const slow = new SlowStore(memory);
  const store = new ThinStore(slow, { puncher, isEmpty: false });
  const bytes = new Uint8Array(KIB4).fill(0x5a);
  const written = store.write(8 * KIB4, bytes);
  const elsewhere = store.write(20 * KIB4, bytes);
  const unmapped = store.unmap([{ offset: 4 * KIB4, lengthBytes: 5 * KIB4 }]);
  const later = store.write(4 * KIB4, bytes);
  await settle();
  assertEquals(
    [puncher.requests.length, slow.pending.length],
    [0, 2],
    "the hole waits for one write, another for it",
  );
  slow.release();
  await settle();
  assertEquals([puncher.requests.length, slow.pending.length], [1, 1], "and for no write beside it");
  puncher.release();
  await Promise.all([written, unmapped]);
  assertEquals(store.extentAt(4 * KIB4).isMapped, true, "by the write that has begun meanwhile");
  assertEquals(store.extentAt(5 * KIB4), { isMapped: false, endBytes: 9 * KIB4 });
  slow.releaseAll();
  await Promise.all([later, elsewhere]);
  assertEquals(contentOf(memory, 4 * KIB4, KIB4), bytes);
  assertEquals(contentOf(memory, 5 * KIB4, 4 * KIB4), new Uint8Array(4 * KIB4));
});

Deno.test("ThinStore reads at once while no hole is punched, and forwards false from the lower store", async () => {
  const { memory, puncher, store } = fullStore();
  const [into, expected] = [new Uint8Array(512), new Uint8Array(512).fill(0xa5)];
  assertEquals([store.readNow(KIB4, into), into], [true, expected]);
  const unmapped = store.unmap([{ offset: 0, lengthBytes: KIB4 }]);
  assertEquals(store.readNow(KIB4, into), false);
  puncher.release();
  await unmapped;
  assertEquals(store.readNow(KIB4, into), true);
  memory.readNow = () => false;
  assertEquals(store.readNow(KIB4, into), false);
});

Deno.test("ThinStore delays a write at the start for a hole there, and not a later one", async () => {
  const { memory, puncher, store } = fullStore();
  const unmapped = store.unmap([{ offset: 0, lengthBytes: KIB4 }]);
  const bytes = new Uint8Array(512).fill(0x5a);
  let isWritten = false;
  const written = store.write(0, bytes).then(() => isWritten = true);
  await store.write(20 * KIB4, bytes);
  assertEquals(isWritten, false);
  puncher.release();
  await Promise.all([unmapped, written]);
  assertEquals(contentOf(memory, 0, 512), bytes);
});

Deno.test("ThinStore delays a write for every hole that it touches, one after the other", async () => {
  const { memory, puncher, store } = fullStore();
  const unmapped = [8, 9, 8].map((page) => store.unmap([{ offset: page * KIB4, lengthBytes: KIB4 }]));
  const bytes = new Uint8Array(512).fill(0x5a);
  let isWritten = false;
  const written = store.write(9 * KIB4 - 256, bytes).then(() => isWritten = true);
  for (const end of [0, 1]) {
    await settle();
    assertEquals([isWritten, puncher.requests.length], [false, end + 1]);
    puncher.release();
  }
  await Promise.all([...unmapped, written]);
  assertEquals(contentOf(memory, 9 * KIB4 - 256, 512), bytes);
  assertEquals([8, 9].map((page) => store.extentAt(page * KIB4).isMapped), [true, true]);
});

Deno.test("ThinStore delays a write for the next hole only if it touches that, too", async () => {
  // A write of pages, the page of the hole that is under way, that of the next, and whether the write waits for it.
  for (const [first, count, underWay, next, waits] of [[1, 4, 4, 2, true], [8, 1, 8, 2, false]] as const) {
    const { memory, puncher, store } = fullStore();
    const unmapped = [underWay, next].map((page) =>
      store.unmap([{ offset: page * KIB4, lengthBytes: KIB4 }])
    );
    const bytes = new Uint8Array(count * KIB4).fill(0x5a);
    let isWritten = false;
    const written = store.write(first * KIB4, bytes).then(() => isWritten = true);
    await settle();
    assertEquals(isWritten, false);
    puncher.release();
    await settle();
    assertEquals(isWritten, !waits);
    puncher.release();
    await Promise.all([...unmapped, written]);
    assertEquals(contentOf(memory, first * KIB4, bytes.length), bytes);
  }
});

Deno.test("ThinStore punches a hole after an overlapping write has failed", async () => {
  const { memory, puncher } = fullStore();
  const faulty = new FaultyStore(memory);
  const slow = new SlowStore(faulty);
  const store = new ThinStore(slow, { puncher, isEmpty: false });
  faulty.inject({ operation: "write", kind: "writeFailed" });
  const failed = assertRejects(() => store.write(0, new Uint8Array(KIB4)), StoreError);
  const unmapped = store.unmap([{ offset: 0, lengthBytes: KIB4 }]);
  await settle();
  slow.release();
  await failed;
  await settle();
  puncher.release();
  await unmapped;
  assertEquals(store.extentAt(0), { isMapped: false, endBytes: KIB4 });
});

/** Makes holes in a store, but for those that overlap a range, so often; counts how often it was asked. */
function stubbornPuncher(
  memory: MemoryStore,
  refused: ByteRange,
  times: number,
): HolePuncher & { readonly asked: number[] } {
  const asked: number[] = [];
  return {
    asked,
    async punch(ranges): Promise<PunchResult> {
      asked.push(ranges.length);
      if (overlapsAny(ranges, refused.offset, refused.lengthBytes) && times-- > 0) return "refused";
      await memory.unmap(ranges);
      return "punched";
    },
  };
}

Deno.test("ThinStore repeats a refused request, and writes nothing when that succeeds", async () => {
  const { memory } = fullStore();
  const puncher = stubbornPuncher(memory, { offset: 0, lengthBytes: 1 }, 3);
  const store = new ThinStore(memory, { puncher, isEmpty: false });
  await store.unmap([{ offset: 0, lengthBytes: 2 * KIB4 }]);
  assertEquals([puncher.asked, memory.pageCount, memory.writeCount], [[1, 1, 1, 1], 62, 2]);
  assertEquals(store.extentAt(0), { isMapped: false, endBytes: 2 * KIB4 });
  assertEquals(store.refusedHoles, 0);
});

Deno.test("ThinStore zeroes the one range of many that is refused, and punches the others", async () => {
  const { memory } = fullStore();
  const puncher = stubbornPuncher(memory, { offset: 20 * KIB4, lengthBytes: 1 }, Infinity);
  const store = new ThinStore(memory, { puncher, isEmpty: false });
  const ranges = Array.from({ length: 27 }, (_, index) => ({ offset: 2 * index * KIB4, lengthBytes: KIB4 }));
  await store.unmap(ranges);
  assertEquals(puncher.asked, [27, 4, 4, 4, 4, 4, 4, 3, 1, 1, 1, 1, 1]);
  assertEquals(memory.pageCount, 64 - 27 + 1);
  assertEquals(contentOf(memory, 20 * KIB4, KIB4), new Uint8Array(KIB4));
  for (const { offset } of ranges) assertEquals(store.extentAt(offset).isMapped, offset === 20 * KIB4);
  assertEquals(store.refusedHoles, 1);
});

Deno.test("ThinStore writes zeros where the file system supports no holes, and only over other bytes", async () => {
  const memory = new MemoryStore({ sizeBytes: SIZE_BYTES, canUnmap: true });
  memory.writeNow(5 * KIB4, new Uint8Array(KIB4).fill(0xa5));
  const puncher = stubbornPuncher(memory, { offset: 0, lengthBytes: SIZE_BYTES }, Infinity);
  const store = new ThinStore(memory, { puncher, isEmpty: false });
  await store.unmap(
    Array.from({ length: 32 }, (_, index) => ({ offset: 2 * index * KIB4 + 512, lengthBytes: 7680 })),
  );
  assertEquals(
    [memory.pageCount, memory.writeCount],
    [1, 2],
    "one page was there, and was written once more",
  );
  assertEquals(contentOf(memory, 5 * KIB4, KIB4), new Uint8Array(KIB4));
  assertEquals(store.extentAt(0).isMapped, true);
  assertEquals(
    puncher.asked,
    [32, 4, 4, 4, 4, 4, 4, 4, 4],
    "a file system without holes is not asked for ever",
  );
});

Deno.test("ThinStore that is read-only refuses to unmap", async () => {
  const memory = new MemoryStore({ sizeBytes: SIZE_BYTES, readOnly: true });
  const puncher = new GatedPuncher(memory);
  const store = new ThinStore(memory, { puncher, isEmpty: false });
  const refused = await assertRejects(() => store.unmap([{ offset: 0, lengthBytes: KIB4 }]), StoreError);
  assertEquals([refused.kind, puncher.requests.length], ["readOnly", 0]);
});

Deno.test("ThinStore unmaps in the same number of steps in a store of any size", async () => {
  const ranges = Array.from({ length: 1024 }, (_, index) => ({ offset: index * 2 ** 20, lengthBytes: KIB4 }));
  for (const gib of [1, 64, 64 * 1024]) {
    const memory = new MemoryStore({ sizeBytes: gib * 2 ** 30 });
    const make = (): ThinStore => new ThinStore(memory, { puncher: new GatedPuncher(memory), isEmpty: true });
    let unmapped: Promise<void> | undefined;
    const steps = countSteps(make, (store) => unmapped = store.unmap(ranges));
    await unmapped;
    assert(steps < 4 * ranges.length, `${steps} steps for ${gib} GiB`);
  }
});

Deno.test("ThinStore fails when punching is abandoned, and when zeros cannot be written", async () => {
  const { puncher, store } = fullStore();
  const abandoned = assertRejects(() => store.unmap([{ offset: 0, lengthBytes: KIB4 }]), StoreError);
  puncher.release("abandoned");
  assertEquals((await abandoned).kind, "writeFailed");
  assertEquals(store.extentAt(0).isMapped, true);

  const inner = fullStore().memory;
  const faulty = new FaultyStore(inner);
  const refusing = stubbornPuncher(inner, { offset: 0, lengthBytes: 1 }, Infinity);
  const full = new ThinStore(faulty, { puncher: refusing, isEmpty: false });
  faulty.inject({ operation: "write", kind: "outOfSpace" });
  const failed = await assertRejects(() => full.unmap([{ offset: 0, lengthBytes: KIB4 }]), StoreError);
  assertEquals(failed.kind, "outOfSpace");
  faulty.heal();
  assert(full.writeNow(0, new Uint8Array(512)), "the failure is over with its command");
});

const SEED = numberFromEnvironment("FUZZ_SEED", 20070103);

Deno.test(`ThinStore loses no write among holes (FUZZ_SEED=${SEED})`, async () => {
  const random = seededRandom(SEED);
  const memory = new MemoryStore({ sizeBytes: SIZE_BYTES, canUnmap: true });
  // Holes are made some turns after they were asked for, and what is written meanwhile must survive them.
  const store = new ThinStore(memory, {
    isEmpty: true,
    puncher: {
      async punch(ranges): Promise<"punched" | "refused"> {
        for (let turn = random(30); turn > 0; turn--) await Promise.resolve();
        if (random(10) === 0) return "refused";
        await memory.unmap(ranges);
        return "punched";
      },
    },
  });
  const expected = new Uint8Array(SIZE_BYTES);
  for (let round = 0; round < 300; round++) {
    // The commands of one round run concurrently, so each has its own bytes, but they share granules.
    const work: Promise<void>[] = [];
    for (let offset = random(KIB4); offset < SIZE_BYTES;) {
      const lengthBytes = Math.min(1 + random(3 * KIB4), SIZE_BYTES - offset);
      const value = random(2) === 0 ? 0 : 1 + random(255);
      const bytes = new Uint8Array(lengthBytes).fill(value);
      if (value === 0) work.push(store.unmap([{ offset, lengthBytes }]));
      else if (!store.writeNow(offset, bytes)) work.push(store.write(offset, bytes));
      expected.fill(value, offset, offset + lengthBytes);
      offset += lengthBytes + random(KIB4);
    }
    await Promise.all(work);
    assertEquals(contentOf(memory, 0, SIZE_BYTES), expected, `round ${round}`);
    for (let offset = 0; offset < SIZE_BYTES;) {
      const { isMapped, endBytes } = store.extentAt(offset);
      if (!isMapped) assertEquals(expected.subarray(offset, endBytes).some((byte) => byte !== 0), false);
      offset = endBytes;
    }
  }
});

testWithTools("ThinStore on a file gives its space back", ["fallocate"], async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const path = join(folder, "disk");
    Deno.writeFileSync(path, new Uint8Array(SIZE_BYTES).fill(0xa5));
    const file = FileStore.open(path, { sizeBytes: SIZE_BYTES, readOnly: false });
    const store = new ThinStore(file, { puncher: fallocatePuncher(path), isEmpty: file.isEmpty });
    const before = Deno.statSync(path).blocks!;
    await store.unmap([{ offset: 512, lengthBytes: SIZE_BYTES - 1024 }]);
    const content = Deno.readFileSync(path);
    assertEquals(content.subarray(512, -512), new Uint8Array(SIZE_BYTES - 1024));
    assertEquals([content.length, content[511], content.at(-512)], [SIZE_BYTES, 0xa5, 0xa5]);
    assert(Deno.statSync(path).blocks! < before / 4);
    store.close();
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("ThinStore adapts to a lower store that has grown", async () => {
  const { memory, puncher, store } = fullStore();
  const done = store.unmap([{ offset: 0, lengthBytes: SIZE_BYTES }]);
  puncher.release();
  await done;
  memory.sizeBytes = 2 * SIZE_BYTES;
  store.adaptToGrowth();
  assertEquals(store.sizeBytes, 2 * SIZE_BYTES);
  assertEquals(store.extentAt(0), { isMapped: false, endBytes: SIZE_BYTES });
  assertEquals(store.extentAt(SIZE_BYTES), { isMapped: true, endBytes: 2 * SIZE_BYTES });
  assert(store.writeNow(2 * SIZE_BYTES - KIB4, new Uint8Array(KIB4).fill(1)));
});
