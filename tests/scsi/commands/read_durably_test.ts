/** READ with FUA and VERIFY on a medium with a volatile cache (SBC-3, 4.15). */
import { assert, assertEquals } from "@std/assert";
import { readUint32, writeUint32 } from "../../../lib/bytes/big_endian.ts";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import type { BlockStore } from "../../../lib/store/block_store.ts";
import type { Extent } from "../../../lib/store/space_map.ts";
import { numberFromEnvironment, Random } from "../../support/seeded_random.ts";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { blocksCdb, makeTarget, makeUnit, openReadyNexus, openUnit, pattern, run } from "../fixture.ts";

const READS = ["READ(10)", "READ(12)", "READ(16)"];
const VERIFIES = ["VERIFY(10)", "VERIFY(12)", "VERIFY(16)"];
const FUA = 0x08;
/** FUA_NV, which has no effect without a non-volatile cache. */
const FUA_NV = 0x02;
const DPO = 0x10;
const SIZE_BYTES = 1024 * 1024;

function memory(): MemoryStore {
  return new MemoryStore({ sizeBytes: SIZE_BYTES });
}

async function write(nexus: Nexus): Promise<void> {
  assertEquals((await run(nexus, blocksCdb("WRITE(10)", {}), { dataOut: pattern(512) })).outcome, "good");
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("READ with FUA and VERIFY flush unflushed data, and only once", async () => {
  const store = memory();
  const nexus = openUnit({ store });
  let flushes = 0;
  for (
    const block of [
      ...READS.map((name) => blocksCdb(name, { flags: FUA })),
      ...VERIFIES.map((name) => blocksCdb(name, {})),
    ]
  ) {
    await write(nexus);
    for (let round = 0; round < 2; round++) assertEquals((await run(nexus, block)).outcome, "good");
    assertEquals(store.flushCount, ++flushes);
  }
});

Deno.test("READ with FUA flushes data that an earlier process may have left in the cache", async () => {
  const store = memory();
  await run(openUnit({ store }), blocksCdb("READ(10)", { flags: FUA }));
  assertEquals(store.flushCount, 1);
});

Deno.test("READ without FUA flushes nothing, and completes at once", async () => {
  const store = memory();
  const nexus = openUnit({ store });
  await write(nexus);
  for (const name of READS) {
    for (const flags of [0, DPO, FUA_NV]) {
      const operation = nexus.execute(0, blocksCdb(name, { flags }));
      assert(operation.kind === "dataIn" && operation.readNow(0, new Uint8Array(512)) !== undefined);
    }
  }
  assertEquals(store.flushCount, 0);
});

Deno.test("READ with FUA completes at once only if everything is durable", async () => {
  const nexus = openUnit({ store: memory() });
  const block = blocksCdb("READ(10)", { flags: FUA });
  const readNow = (): unknown => {
    const operation = nexus.execute(0, block);
    return operation.kind === "dataIn" && operation.readNow(0, new Uint8Array(512));
  };
  await write(nexus);
  assertEquals(readNow(), undefined);
  await run(nexus, blocksCdb("SYNCHRONIZE CACHE(10)", {}));
  assert(readNow() !== undefined);
  await run(nexus, blocksCdb("WRITE SAME(10)", {}), { dataOut: pattern(512) });
  assertEquals(readNow(), undefined);
});

Deno.test("READ with FUA waits for the data that a running write has put into the cache", async () => {
  const slow = new SlowStore(memory());
  const nexus = openUnit({ store: slow });
  const written = run(nexus, blocksCdb("WRITE(10)", { lba: 1 }), { dataOut: pattern(512) });
  await settle();
  const read = run(nexus, blocksCdb("READ(10)", { flags: FUA }));
  await settle();
  assertEquals(slow.pending.map(({ operation }) => operation), ["write", "read"]);
  slow.release(1);
  await settle();
  assertEquals(slow.pending.map(({ operation }) => operation), ["write", "flush"]);
  slow.release(1);
  assertEquals((await read).outcome, "good");
  slow.release();
  await written;
});

Deno.test("READ with FUA and VERIFY fail with the flush, send nothing, and release their range", async () => {
  const store = new FaultyStore(memory());
  const unit = makeUnit({ store });
  const nexus = openReadyNexus(makeTarget(unit));
  store.inject({ operation: "flush", kind: "flushFailed" });
  for (const name of READS) {
    const result = await run(nexus, blocksCdb(name, { blocks: 4, flags: FUA }), { pieceBytes: 512 });
    assertEquals([result.outcome, result.data.length], ["writeError", 0]);
  }
  for (const name of VERIFIES) assertEquals((await run(nexus, blocksCdb(name, {}))).outcome, "writeError");
  for (const name of VERIFIES) {
    const block = blocksCdb(name, { flags: 0b01 << 1 });
    assertEquals((await run(nexus, block, { dataOut: new Uint8Array(512) })).outcome, "writeError");
  }
  assert(unit.ranges.isIdle);
  store.heal();
  assertEquals((await run(nexus, blocksCdb("READ(10)", { flags: FUA }))).outcome, "good");
});

Deno.test("VERIFY that finds a difference flushes nothing", async () => {
  const store = memory();
  const nexus = openUnit({ store });
  const block = blocksCdb("VERIFY(10)", { flags: 0b01 << 1 });
  const { outcome } = await run(nexus, block, { dataOut: pattern(512) });
  assertEquals([outcome, store.flushCount], ["miscompareDuringVerifyOperation", 0]);
});

/** A medium behind a cache. A flush moves the data that was written before it, some turns later. */
class CachedMedium implements BlockStore {
  readonly sizeBytes = SIZE_BYTES;
  readonly readOnly = false;
  readonly canUnmap = false;
  readonly #cache = memory();
  readonly medium = memory();
  #flushed: Promise<void> = Promise.resolve();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  readNow(offset: number, into: Uint8Array): boolean {
    return this.#random.oneIn(2) && this.#cache.readNow(offset, into);
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    await this.#turns();
    this.#cache.readNow(offset, into);
    await this.#turns();
  }

  writeNow(offset: number, from: Uint8Array): boolean {
    return this.#random.oneIn(2) && this.#cache.writeNow(offset, from);
  }

  /** Writes the two halves into the cache one after the other. */
  async write(offset: number, from: Uint8Array): Promise<void> {
    const half = from.length >> 1;
    await this.#turns();
    this.#cache.writeNow(offset, from.subarray(0, half));
    await this.#turns();
    this.#cache.writeNow(offset + half, from.subarray(half));
    await this.#turns();
  }

  flush(): Promise<void> {
    const held = new Uint8Array(SIZE_BYTES);
    this.#cache.readNow(0, held);
    // Data that is flushed later reaches the medium later.
    this.#flushed = this.#flushed.then(() => this.#turns()).then(() => void this.medium.writeNow(0, held));
    return this.#flushed;
  }

  unmap(): Promise<void> {
    return Promise.reject(new Error("Nothing is unmapped here"));
  }

  extentAt(): Extent {
    return { isMapped: true, endBytes: SIZE_BYTES };
  }

  close(): void {}

  async #turns(): Promise<void> {
    for (let left = this.#random.below(4); left > 0; left--) await Promise.resolve();
  }
}

/** Returns the number in each block. */
function numbersOf(bytes: Uint8Array): number[] {
  return Array.from({ length: bytes.length / 512 }, (_, block) => readUint32(bytes, block * 512));
}

const SEED = numberFromEnvironment("FUZZ_SEED", 20070101);
const WRITERS = 4;

Deno.test(`READ with FUA sends only durable data, despite concurrent writes (FUZZ_SEED=${SEED})`, async () => {
  const random = new Random(SEED);
  const store = new CachedMedium(random);
  const nexus = openUnit({ store });
  let next = 0;
  let sent = 0;
  // Each writer has its own four blocks, in which numbers only grow.
  const writeSome = async (writer: number): Promise<void> => {
    const dataOut = new Uint8Array(4 * 512);
    for (let block = 0; block < 4; block++) writeUint32(dataOut, block * 512, ++next);
    const block = blocksCdb("WRITE(10)", { lba: writer * 4, blocks: 4 });
    assertEquals((await run(nexus, block, { dataOut, pieceBytes: 1024 })).outcome, "good");
  };
  const readSome = async (): Promise<void> => {
    const blocks = blocksCdb("READ(10)", { blocks: WRITERS * 4, flags: FUA });
    const operation = nexus.execute(0, blocks);
    if (operation.kind !== "dataIn") throw new Error("It sends nothing");
    for (let offset = 0; offset < operation.lengthBytes; offset += 1024) {
      const [piece, onMedium] = [new Uint8Array(1024), new Uint8Array(1024)];
      const outcome = operation.readNow(offset, piece) ?? await operation.read(offset, piece);
      assertEquals(outcome.status, 0);
      store.medium.readNow(offset, onMedium);
      for (const [index, number] of numbersOf(piece).entries()) {
        const isDurable = number <= numbersOf(onMedium)[index]!;
        assert(isDurable, `FUZZ_SEED=${SEED}: ${number} in block ${index} of ${offset} is not on the medium`);
        if (number > 0) sent++;
      }
    }
  };
  for (let round = 0; round < 200; round++) {
    const writers = Array.from(
      { length: WRITERS },
      (_, writer) => random.oneIn(2) ? writeSome(writer) : undefined,
    );
    await Promise.all([...writers, readSome(), readSome()]);
  }
  assert(sent > 1000, "hardly anything was read that had been written");
});
