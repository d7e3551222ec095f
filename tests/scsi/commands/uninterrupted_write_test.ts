import { assert, assertEquals } from "@std/assert";
import { COLLECTED_BYTES_MAX } from "../../../lib/scsi/medium/atomic_limits.ts";
import type { DataOut, Later } from "../../../lib/scsi/outcome/operation.ts";
import { parseSense } from "../../support/initiator_sense.ts";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import {
  assertFieldRefused,
  blocksCdb,
  complete,
  makeTarget,
  makeUnit,
  openReadyNexus,
  openUnit,
  pattern,
  run,
} from "../fixture.ts";

const SIZE = 1024 * 1024;
const LARGEST_ORWRITE_BYTES = 16 * SIZE;
const FUA = 0x08;

function memory(): MemoryStore {
  return new MemoryStore({ sizeBytes: SIZE });
}

function contentOf(store: MemoryStore, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  store.readNow(offset, bytes);
  return bytes;
}

/** COMPARE AND WRITE, whose number of blocks is byte 13. */
function compareAndWrite(lba: number, blocks: number, flags = 0): Uint8Array {
  return blocksCdb("COMPARE AND WRITE", { lba, blocks, flags });
}

/** WRITE ATOMIC(16), whose transfer length is bytes 12 and 13. */
function writeAtomic(lba: number, blocks: number, flags = 0): Uint8Array {
  return blocksCdb("WRITE ATOMIC(16)", { lba, blocks, flags });
}

function halves(compared: Uint8Array, written: Uint8Array): Uint8Array {
  const both = new Uint8Array(compared.length + written.length);
  both.set(compared);
  both.set(written, compared.length);
  return both;
}

Deno.test("COMPARE AND WRITE writes if the comparison succeeds, also on blocks that were never written", async () => {
  const store = memory();
  const nexus = openUnit({ store });
  const [first, second] = [pattern(1024, 1), pattern(1024, 2)];
  const result = await run(nexus, compareAndWrite(2, 2), { dataOut: halves(new Uint8Array(1024), first) });
  assertEquals([result.outcome, result.lengthBytes], ["good", 2048]);
  assertEquals(contentOf(store, 1024, 1024), first);
  assertEquals((await run(nexus, compareAndWrite(2, 2), { dataOut: halves(first, second) })).outcome, "good");
  assertEquals(contentOf(store, 1024, 1024), second);
  assertEquals(store.flushCount, 0);
});

Deno.test("COMPARE AND WRITE reports the offset of the first difference, and writes nothing", async () => {
  const store = memory();
  const nexus = openUnit({ store });
  for (const different of [0, 1, 511, 512, 1023]) {
    const compared = new Uint8Array(1024);
    compared[different] = 0x80;
    compared[1023] = 1;
    const result = await run(nexus, compareAndWrite(0, 2), { dataOut: halves(compared, pattern(1024)) });
    assertEquals(result.outcome, "miscompareDuringVerifyOperation");
    assertEquals(parseSense(result.sense!).information, different);
  }
  assertEquals(store.writeCount, 0);
});

Deno.test("COMPARE AND WRITE accepts as many blocks as page B0h reports, and the defined flags", async () => {
  for (const [blockSizeBytes, blocksMax] of [[512, 128], [4096, 16]] as const) {
    const store = memory();
    const nexus = openUnit({ store, blockSizeBytes });
    const length = blocksMax * blockSizeBytes;
    const dataOut = halves(new Uint8Array(length), pattern(length));
    assertEquals((await run(nexus, compareAndWrite(1, blocksMax, 0x10), { dataOut })).outcome, "good");
    assertEquals(contentOf(store, blockSizeBytes, length), pattern(length));
    assertFieldRefused(await run(nexus, compareAndWrite(1, blocksMax + 1)), 13);
    for (const protect of [0x20, 0x40, 0x80]) {
      assertFieldRefused(await run(nexus, compareAndWrite(1, 1, protect)), 1, 7);
    }
    assertEquals(
      (await run(nexus, compareAndWrite(SIZE / blockSizeBytes, 1))).outcome,
      "logicalBlockAddressOutOfRange",
    );
    assertEquals((await run(nexus, compareAndWrite(SIZE / blockSizeBytes, 0))).outcome, "good");
  }
});

Deno.test("COMPARE AND WRITE refuses data of another length than its halves, and half of them", async () => {
  const store = memory();
  const nexus = openUnit({ store });
  for (const blocks of [0, 1]) {
    const operation = nexus.execute(0, compareAndWrite(0, blocks)) as DataOut;
    assertEquals(operation.lengthBytes, blocks * 1024);
    assertFieldRefused(await complete(operation.refusalOfOtherLength!), 13);
    operation.end!();
  }
  const operation = nexus.execute(0, compareAndWrite(0, 1)) as DataOut;
  operation.writeNow(0, new Uint8Array(512));
  assertEquals((await complete(operation.finish(512))).outcome, "invalidFieldInCommandInformationUnit");
  assertEquals(store.writeCount, 0);
});

Deno.test("commands with FUA are durable before they end, and none is after it has failed", async () => {
  const store = memory();
  const nexus = openUnit({ store });
  const zeros = new Uint8Array(1024);
  await run(nexus, compareAndWrite(0, 1, FUA), { dataOut: zeros });
  assertEquals(store.flushCount, 1);
  await run(nexus, writeAtomic(0, 1, FUA), { dataOut: zeros });
  await run(nexus, blocksCdb("ORWRITE(16)", { flags: FUA }), { dataOut: zeros });
  assertEquals(store.flushCount, 3);
  await run(nexus, compareAndWrite(0, 1, FUA), { dataOut: pattern(1024) });
  assertEquals(store.flushCount, 3);
  const faulty = new FaultyStore(memory());
  faulty.inject({ operation: "flush", kind: "flushFailed" });
  const broken = openUnit({ store: faulty });
  assertEquals((await run(broken, writeAtomic(0, 1, FUA), { dataOut: zeros })).outcome, "writeError");
});

Deno.test("ORWRITE sets bits, in pieces of any length", async () => {
  for (const pieceBytes of [100, 512, 1 << 20]) {
    const store = memory();
    const nexus = openUnit({ store });
    const length = 600 * 512;
    store.writeNow(512, pattern(length, 1));
    const block = blocksCdb("ORWRITE(16)", { lba: 1, blocks: 600, flags: 0x10 });
    assertEquals((await run(nexus, block, { dataOut: pattern(length, 2), pieceBytes })).outcome, "good");
    const [first, second] = [pattern(length, 1), pattern(length, 2)];
    assertEquals(contentOf(store, 512, length), first.map((byte, index) => byte | second[index]!));
    assertFieldRefused(await run(nexus, blocksCdb("ORWRITE(16)", { flags: 0x20 })), 1, 7);
    assertEquals((await run(nexus, blocksCdb("ORWRITE(16)", { blocks: 0 }))).outcome, "good");
    assertEquals(
      (await run(nexus, blocksCdb("ORWRITE(16)", { lba: 2047, blocks: 2 }))).outcome,
      "logicalBlockAddressOutOfRange",
    );
  }
});

Deno.test("ORWRITE refuses more than the maximum transfer length", async () => {
  const nexus = openUnit({ store: new MemoryStore({ sizeBytes: 64 * SIZE }) });
  assertFieldRefused(await run(nexus, blocksCdb("ORWRITE(16)", { blocks: 32769 })), 10);
});

Deno.test("WRITE ATOMIC writes up to 256 blocks, and refuses a boundary", async () => {
  const store = memory();
  const nexus = openUnit({ store });
  const data = pattern(256 * 512);
  assertEquals((await run(nexus, writeAtomic(3, 256), { dataOut: data })).outcome, "good");
  assertEquals(contentOf(store, 3 * 512, data.length), data);
  assertFieldRefused(await run(nexus, writeAtomic(0, 257)), 12);
  const bounded = writeAtomic(0, 8);
  bounded[11] = 8;
  assertFieldRefused(await run(nexus, bounded), 10);
  assertFieldRefused(await run(nexus, writeAtomic(0, 1, 0x20)), 1, 7);
  assertEquals((await run(nexus, writeAtomic(2047, 2))).outcome, "logicalBlockAddressOutOfRange");
  assertEquals((await run(nexus, writeAtomic(2048, 0))).outcome, "good");
});

Deno.test("commands that do not get all of their data do nothing", async () => {
  const store = memory();
  const nexus = openUnit({ store });
  for (const block of [writeAtomic(0, 2), blocksCdb("ORWRITE(16)", { blocks: 2 })]) {
    const operation = nexus.execute(0, block) as DataOut;
    operation.writeNow(0, pattern(512));
    assertEquals((await complete(operation.finish(512))).outcome, "invalidFieldInCommandInformationUnit");
  }
  assertEquals(store.writeCount, 0);
});

Deno.test("a nexus that collects too much gets TASK SET FULL, until some of its commands have ended", async () => {
  const nexus = openReadyNexus(
    makeTarget(makeUnit({ store: new MemoryStore({ sizeBytes: 64 * SIZE }) })),
  );
  const whole = blocksCdb("ORWRITE(16)", { blocks: LARGEST_ORWRITE_BYTES / 512 });
  const first = nexus.execute(0, whole) as DataOut;
  assertEquals(first.kind, "dataOut");
  const besides = blocksCdb("ORWRITE(16)", { blocks: (COLLECTED_BYTES_MAX - LARGEST_ORWRITE_BYTES) / 512 });
  assertEquals(nexus.execute(0, besides).kind, "dataOut");
  assertEquals((await run(nexus, compareAndWrite(0, 1))).outcome, "28");
  first.end!();
  first.end!();
  const second = nexus.execute(0, whole) as DataOut;
  assertEquals([second.kind, (await run(nexus, writeAtomic(0, 1))).outcome], ["dataOut", "28"]);
  assertEquals(
    (await complete(second, { dataOut: new Uint8Array(LARGEST_ORWRITE_BYTES), pieceBytes: SIZE }))
      .outcome,
    "good",
  );
  assertEquals((await run(nexus, writeAtomic(0, 1), { dataOut: pattern(512) })).outcome, "good");
});

Deno.test("data collected for one logical unit takes memory from another of the same nexus", () => {
  const units = [0, 1].map(() => makeUnit({ store: new MemoryStore({ sizeBytes: 64 * SIZE }) }));
  const target = makeTarget(...units);
  const nexus = openReadyNexus(target, 2);
  const whole = blocksCdb("ORWRITE(16)", { blocks: LARGEST_ORWRITE_BYTES / 512 });
  const first = nexus.execute(0, whole) as DataOut;
  assertEquals(nexus.execute(1, whole).kind, "finished");
  assertEquals(openReadyNexus(target, 2).execute(1, whole).kind, "dataOut", "it is that nexus alone");
  first.end!();
  assertEquals(nexus.execute(1, whole).kind, "dataOut");
});

Deno.test("a command that is cancelled while it waits does nothing", async () => {
  const store = memory();
  const unit = makeUnit({ store });
  const nexus = openReadyNexus(makeTarget(unit));
  const hold = unit.ranges.share(0, 512);
  const operation = nexus.execute(0, writeAtomic(0, 1)) as DataOut;
  operation.writeNow(0, pattern(512));
  const later = operation.finish(512) as Later;
  later.cancel!();
  assertEquals((await complete(later)).outcome, "8");
  unit.ranges.release(hold);
  assertEquals(store.writeCount, 0);
  assertEquals((await run(nexus, writeAtomic(0, 1), { dataOut: pattern(512) })).outcome, "good");
});

Deno.test("a failure while writing returns its sense data", async () => {
  for (
    const [fault, outcome] of [
      [{ operation: "read", kind: "readFailed" }, "unrecoveredReadError"],
      [{ operation: "write", kind: "outOfSpace" }, "spaceAllocationFailedWriteProtect"],
    ] as const
  ) {
    const store = new FaultyStore(memory());
    store.inject(fault);
    const nexus = openUnit({ store });
    assertEquals(
      (await run(nexus, compareAndWrite(0, 16), { dataOut: new Uint8Array(16384) })).outcome,
      outcome,
    );
    store.heal();
    assertEquals(
      (await run(nexus, compareAndWrite(0, 16), { dataOut: new Uint8Array(16384) })).outcome,
      "good",
    );
  }
});

Deno.test("a read that began before an atomic write and ends after it sees none of it", async () => {
  const store = memory();
  const unit = makeUnit({ store });
  const [reader, writer] = [openReadyNexus(makeTarget(unit)), openReadyNexus(makeTarget(unit))];
  const reading = reader.execute(0, blocksCdb("READ(16)", { blocks: 8 }));
  assert(reading.kind === "dataIn");
  const seen = new Uint8Array(4096).fill(0xee);
  reading.readNow(0, seen.subarray(0, 2048));
  const written = run(writer, writeAtomic(0, 8), { dataOut: pattern(4096) });
  for (let round = 0; round < 20; round++) await Promise.resolve();
  assertEquals(store.writeCount, 0);
  reading.readNow(2048, seen.subarray(2048));
  assertEquals(seen, new Uint8Array(4096));
  assertEquals((await written).outcome, "good");
  assertEquals(contentOf(store, 0, 4096), pattern(4096));
});

Deno.test("an atomic write waits for a write whose data has not arrived yet, and no longer", async () => {
  for (const ending of ["finish", "end"] as const) {
    const store = memory();
    const unit = makeUnit({ store });
    const [slow, writer] = [openReadyNexus(makeTarget(unit)), openReadyNexus(makeTarget(unit))];
    const writing = slow.execute(0, blocksCdb("WRITE(16)", { blocks: 8 }));
    assert(writing.kind === "dataOut");
    writing.writeNow(0, new Uint8Array(2048).fill(1));
    let isDone = false;
    const written = run(writer, writeAtomic(0, 8), { dataOut: pattern(4096) }).then(() => isDone = true);
    for (let round = 0; round < 20; round++) await Promise.resolve();
    assertEquals(isDone, false);
    if (ending === "finish") writing.writeNow(2048, new Uint8Array(2048).fill(1));
    if (ending === "finish") writing.finish(4096);
    else writing.end!();
    await written;
    assertEquals(contentOf(store, 0, 4096), pattern(4096));
  }
});

Deno.test("reads and writes wait for an atomic write on a slow medium, elsewhere they do not", async () => {
  const inner = memory();
  const store = new SlowStore(inner);
  const unit = makeUnit({ store });
  const [writer, other] = [openReadyNexus(makeTarget(unit)), openReadyNexus(makeTarget(unit))];
  const order: string[] = [];
  const begin = (name: string, block: Uint8Array): Promise<unknown> =>
    run(other, block, { dataOut: new Uint8Array(512) }).then(({ outcome }) =>
      order.push(`${name} ${outcome}`)
    );
  const written = run(writer, writeAtomic(0, 8), { dataOut: pattern(4096) }).then(() => order.push("atomic"));
  const rest = [
    begin("read inside", blocksCdb("READ(16)", { lba: 7 })),
    begin("write inside", blocksCdb("WRITE(16)", { lba: 0 })),
    begin("read beside", blocksCdb("READ(16)", { lba: 8 })),
  ];
  for (let round = 0; round < 30; round++) await Promise.resolve();
  assertEquals(store.pending.map(({ operation, offset }) => `${operation} ${offset}`), [
    "read 4096",
    "read 0",
  ]);
  store.release(0);
  for (let round = 0; round < 30; round++) await Promise.resolve();
  assertEquals(order, ["read beside good"]);
  while (store.pending.length > 0) {
    store.release();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await Promise.all([written, ...rest]);
  assertEquals(order.slice(0, 2), ["read beside good", "atomic"]);
  assertEquals(contentOf(inner, 512, 3584), pattern(4096).subarray(512));
  assertEquals(contentOf(inner, 0, 512), new Uint8Array(512));
});
