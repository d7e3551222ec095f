import { assert, assertEquals, assertRejects } from "@std/assert";
import { CancelledError } from "../../../lib/scsi/outcome/cancellation.ts";
import { type TrimFigures, Trimmer, type TrimOptions } from "../../../lib/scsi/medium/trimmer.ts";
import { RangeLocks } from "../../../lib/scsi/medium/range_locks.ts";
import { StoreError } from "../../../lib/store/block_store.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { numberFromEnvironment, Random } from "../../support/seeded_random.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { nextTurn, settle, until } from "../../support/until.ts";
import { blocksCdb, complete, makeTarget, makeUnit, openReadyNexus } from "../fixture.ts";

const SEED = numberFromEnvironment("FUZZ_SEED", 20070116);
const PAGE = 4096;
const MIB = 1024 ** 2;
const ZEROS = new Uint8Array(16 * MIB);

function storeOf(sizeBytes: number): MemoryStore {
  return new MemoryStore({ sizeBytes, canUnmap: true });
}

/** Returns options without a rate, with a clock that stands still. */
function unpaced(options: Partial<TrimOptions> = {}): TrimOptions {
  const clock = new FakeClock();
  return { pace: () => Promise.resolve(), after: clock.after.bind(clock), ...options };
}

Deno.test("Trimmer gives back whole pages of zeros, and nothing else", async () => {
  const store = storeOf(9 * MIB + 512);
  store.writeNow(0, ZEROS.subarray(0, 9 * MIB + 512));
  const kept = [0, 5 * PAGE + 4095, MIB - 1, 4 * MIB, 9 * MIB - 1];
  for (const offset of kept) store.writeNow(offset, Uint8Array.of(1));
  const pages = store.pageCount;
  const figures = await new Trimmer(store, new RangeLocks()).trim(unpaced());
  // The last page is not a whole one.
  assertEquals(store.pageCount, kept.length + 1);
  assertEquals(figures, {
    sizeBytes: 9 * MIB + 512,
    examinedBytes: 9 * MIB + 512,
    releasedBytes: (pages - kept.length - 1) * PAGE,
    busyBytes: 0,
  });
  const byte = new Uint8Array(1);
  for (const offset of kept) assertEquals((store.readNow(offset, byte), byte[0]), 1);
});

Deno.test("Trimmer counts nothing as released whose holes were refused", async () => {
  let refusals = 0;
  const store = new MemoryStore({ sizeBytes: MIB, canUnmap: true });
  Object.defineProperty(store, "refusedHoles", { get: () => refusals });
  store.writeNow(0, ZEROS.subarray(0, MIB));
  const unmap = store.unmap.bind(store);
  store.unmap = (ranges) => (refusals++, unmap(ranges));
  assertEquals((await new Trimmer(store, new RangeLocks()).trim(unpaced())).releasedBytes, 0);
});

Deno.test("Trimmer reads nothing where the medium takes no space", async () => {
  const store = storeOf(2 ** 30);
  store.writeNow(2 ** 29, ZEROS.subarray(0, MIB));
  store.writeNow(2 ** 29 + MIB, Uint8Array.of(1));
  let readBytes = 0;
  const pace = (bytes: number): Promise<void> => Promise.resolve(void (readBytes += bytes));
  const trimmer = new Trimmer(store, new RangeLocks());
  assertEquals((await trimmer.trim(unpaced({ pace }))).releasedBytes, MIB);
  assertEquals([readBytes, store.pageCount], [MIB + PAGE, 1]);
});

Deno.test("Trimmer reads only the extents that it is given", async () => {
  // It does not know its holes.
  const store = new MemoryStore({ sizeBytes: 2 ** 31 });
  const extents = [{ offset: 512, lengthBytes: 100 }, { offset: 2 ** 30, lengthBytes: 3 * MIB }];
  let readBytes = 0;
  const pace = (bytes: number): Promise<void> => Promise.resolve(void (readBytes += bytes));
  await new Trimmer(store, new RangeLocks()).trim(unpaced({ pace, extents }));
  assertEquals(readBytes, PAGE + 3 * MIB);
});

Deno.test("Trimmer reports its progress while it runs", async () => {
  const store = storeOf(96 * MIB);
  for (let part = 0; part < 6; part++) store.writeNow(part * 16 * MIB, ZEROS);
  const trimmer = new Trimmer(store, new RangeLocks());
  const seen: (TrimFigures | undefined)[] = [];
  const pace = (): Promise<void> => Promise.resolve(void seen.push(trimmer.figures));
  assertEquals(trimmer.figures, undefined);
  await trimmer.trim(unpaced({ pace }));
  assertEquals(trimmer.figures, undefined);
  assertEquals([...new Set(seen.map((figures) => figures!.releasedBytes / MIB))], [0, 32, 64]);
});

Deno.test("Trimmer leaves zeros in blocks that are in use, and does not hold up others", async () => {
  const store = storeOf(40 * MIB);
  for (let part = 0; part < 5; part++) store.writeNow(part * 8 * MIB, ZEROS.subarray(0, 8 * MIB));
  const [clock, ranges] = [new FakeClock(), new RangeLocks()];
  const hold = ranges.share(MIB, PAGE);
  const trimmed = new Trimmer(store, ranges).trim(unpaced({ after: clock.after.bind(clock) }));
  await until(() => ranges.isAwaited(MIB, PAGE), "it waits for the blocks");
  clock.advance(20);
  const { busyBytes, releasedBytes } = await trimmed;
  assertEquals([busyBytes, releasedBytes], [32 * MIB, 8 * MIB]);
  ranges.release(hold);
  assertEquals([ranges.isIdle, clock.waiting], [true, 0]);
});

Deno.test("Trimmer holds few ranges at a time, and little between them", async () => {
  const store = storeOf(32 * MIB);
  store.writeNow(0, ZEROS);
  for (let page = 0; page < 40; page++) store.writeNow(page * 2 * PAGE, Uint8Array.of(1));
  store.writeNow(16 * MIB, ZEROS.subarray(0, PAGE));
  const ranges = new RangeLocks();
  const holds: number[] = [];
  const lock = ranges.lock.bind(ranges);
  ranges.lock = (start, length) => (holds.push(length), lock(start, length));
  const released: number[] = [];
  const trimmer = new Trimmer(store, ranges);
  const release = async (work: () => Promise<void>): Promise<void> => {
    await work();
    released.push(trimmer.figures!.releasedBytes);
  };
  await trimmer.trim(unpaced({ release }));
  // Five times eight pages with one between two of them, and then one long range.
  assertEquals(holds.slice(0, 4), Array.from({ length: 4 }, () => 15 * PAGE));
  assertEquals([holds.length, released.length, released[0]], [6, 6, 8 * PAGE]);
});

Deno.test("Trimmer ends when it is cancelled, in the middle of a wait too", async () => {
  const store = storeOf(8 * MIB);
  store.writeNow(0, ZEROS.subarray(0, 8 * MIB));
  const trimmer = new Trimmer(store, new RangeLocks());
  await trimmer.cancel();
  const pace = (_: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
  const trimmed = assertRejects(() => trimmer.trim(unpaced({ pace })), CancelledError);
  await settle();
  await trimmer.cancel();
  await trimmed;
  assertEquals(store.pageCount, 8 * MIB / PAGE);
  assertEquals((await trimmer.trim(unpaced())).releasedBytes, 8 * MIB);
});

Deno.test("Trimmer fails with its medium, and releases what it holds", async () => {
  for (const operation of ["read", "unmap"] as const) {
    const store = new FaultyStore(storeOf(8 * MIB));
    store.writeNow(0, ZEROS.subarray(0, 8 * MIB));
    store.inject({ operation, kind: "readFailed", startBytes: 5 * MIB, endBytes: 5 * MIB + 1 });
    const ranges = new RangeLocks();
    const trimmer = new Trimmer(store, ranges);
    await assertRejects(() => trimmer.trim(unpaced()), StoreError);
    assertEquals([ranges.isIdle, trimmer.figures], [true, undefined]);
  }
});

/** Writes and reads a few pages by commands while they are trimmed, in an order that follows from the seed. */
async function race(seed: number): Promise<number> {
  const random = new Random(seed);
  const pages = 16;
  const store = new SlowStore(storeOf(pages * PAGE));
  const unit = makeUnit({ store });
  const nexus = openReadyNexus(makeTarget(unit));
  const expected = new Uint8Array(pages);
  const busy = new Set<number>();
  let [running, released] = [0, 0];
  const command = async (): Promise<void> => {
    const page = random.below(pages);
    if (busy.has(page)) return;
    busy.add(page);
    running++;
    const blocks = { lba: page * 8, blocks: 8 };
    if (random.oneIn(3)) {
      const { data, outcome } = await complete(nexus.execute(0, blocksCdb("READ(10)", blocks)));
      assertEquals([outcome, data[PAGE - 1]], ["good", expected[page]], `page ${page}, FUZZ_SEED=${seed}`);
    } else {
      const value = random.oneIn(2) ? 0 : 1 + random.below(255);
      const dataOut = new Uint8Array(PAGE).fill(value);
      assertEquals(
        (await complete(nexus.execute(0, blocksCdb("WRITE(10)", blocks)), { dataOut })).outcome,
        "good",
      );
      expected[page] = value;
    }
    busy.delete(page);
    running--;
  };
  let isTrimming = false;
  const trim = async (): Promise<void> => {
    isTrimming = true;
    released += (await unit.trimmer.trim(unpaced())).releasedBytes;
    isTrimming = false;
  };
  const work: Promise<void>[] = [];
  for (let step = 0; step < 120 || running > 0 || isTrimming; step++) {
    if (step < 120 && random.oneIn(2)) work.push(command());
    if (step < 120 && !isTrimming) work.push(trim());
    if (store.pending.length > 0) store.release(random.below(store.pending.length));
    await nextTurn();
    assert(step < 5_000, `it does not end, FUZZ_SEED=${seed}`);
  }
  await Promise.all(work);
  const content = new Uint8Array(pages * PAGE);
  const read = store.read(0, content);
  store.releaseAll();
  await read;
  const actual = Uint8Array.from({ length: pages }, (_, page) => content[page * PAGE]!);
  assertEquals(actual, expected, `FUZZ_SEED=${seed}`);
  return released;
}

Deno.test("Trimmer loses no write, whatever the order of commands and medium", async () => {
  let released = 0;
  for (let round = 0; round < 8; round++) released += await race(SEED + round);
  assert(released > 0);
});
