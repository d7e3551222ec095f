import { assert, assertEquals } from "@std/assert";
import type { StoreErrorKind } from "../../../lib/store/block_store.ts";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { assertFieldRefused, type Blocks, blocksCdb, complete, openUnit, pattern, run } from "../fixture.ts";

const READS = ["READ(6)", "READ(10)", "READ(12)", "READ(16)"];
const WRITES = ["WRITE(6)", "WRITE(10)", "WRITE(12)", "WRITE(16)"];
const FUA = 0x08;

/** The capacity of a unit of the fixture. */
const CAPACITY_BLOCKS = 2048;

function memory(sizeBytes = CAPACITY_BLOCKS * 512): MemoryStore {
  return new MemoryStore({ sizeBytes });
}

/** Runs the callbacks of settled promises, in which the store begins its work. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("what each WRITE writes, each READ reads, in pieces of any size", async () => {
  for (const [index, write] of WRITES.entries()) {
    const nexus = openUnit();
    const data = pattern(5 * 512, index);
    for (const pieceBytes of [512, 1000, 100_000]) {
      const written = await run(nexus, blocksCdb(write, { lba: 3, blocks: 5 }), {
        dataOut: data,
        pieceBytes,
      });
      assertEquals([written.outcome, written.lengthBytes], ["good", data.length]);
      for (const read of READS) {
        const result = await run(nexus, blocksCdb(read, { lba: 3, blocks: 5 }), { pieceBytes });
        assertEquals([result.outcome, result.data], ["good", data], `${write} ${read}`);
      }
      assertEquals((await run(nexus, blocksCdb("READ(10)", { lba: 2 }))).data, new Uint8Array(512));
      assertEquals((await run(nexus, blocksCdb("READ(10)", { lba: 8 }))).data, new Uint8Array(512));
    }
  }
});

Deno.test("addresses count blocks of the unit's own size", async () => {
  const store = memory();
  const nexus = openUnit({ store, blockSizeBytes: 4096 });
  await run(nexus, blocksCdb("WRITE(10)", { lba: 255 }), { dataOut: pattern(4096) });
  const into = new Uint8Array(4096);
  store.readNow(255 * 4096, into);
  assertEquals(into, pattern(4096));
  assertEquals(
    (await run(nexus, blocksCdb("READ(10)", { lba: 256 }))).outcome,
    "logicalBlockAddressOutOfRange",
  );
});

Deno.test("READ(6) and WRITE(6) of 0 blocks move 256, from an address of 21 bits", async () => {
  const nexus = openUnit({ store: memory(2 ** 21 * 512) });
  const data = pattern(256 * 512);
  const block = { lba: 2 ** 21 - 256, blocks: 0 };
  assertEquals((await run(nexus, blocksCdb("WRITE(6)", block), { dataOut: data })).lengthBytes, data.length);
  assertEquals((await run(nexus, blocksCdb("READ(6)", block))).data, data);
});

Deno.test("the other READs and WRITEs of 0 blocks move nothing", async () => {
  const store = memory();
  const nexus = openUnit({ store });
  for (const name of [...READS.slice(1), ...WRITES.slice(1)]) {
    for (const lba of [0, CAPACITY_BLOCKS]) {
      const result = await run(nexus, blocksCdb(name, { lba, blocks: 0 }));
      assertEquals([result.outcome, result.lengthBytes], ["good", 0], name);
    }
    const beyond = await run(nexus, blocksCdb(name, { lba: CAPACITY_BLOCKS + 1, blocks: 0 }));
    assertEquals(beyond.outcome, "logicalBlockAddressOutOfRange", name);
  }
  assertEquals(store.writeCount, 0);
});

Deno.test("a range that reaches beyond the end is refused as a whole", async () => {
  const store = memory();
  const nexus = openUnit({ store });
  const ranges: Blocks[] = [
    { lba: CAPACITY_BLOCKS, blocks: 1 },
    { lba: CAPACITY_BLOCKS - 1, blocks: 2 },
    { lba: CAPACITY_BLOCKS - 255, blocks: 0x100 - 1 + 1 },
    { lba: 2 ** 20, blocks: 1 },
  ];
  for (const name of [...READS, ...WRITES]) {
    for (const range of ranges) {
      const result = await run(nexus, blocksCdb(name, range), { dataOut: pattern(512) });
      assertEquals(result.outcome, "logicalBlockAddressOutOfRange", `${name} ${range.lba}`);
    }
  }
  assertEquals(store.writeCount, 0);
});

Deno.test("addresses of 32 and 64 bits that no unit has are out of range", async () => {
  const nexus = openUnit();
  for (const name of ["READ(10)", "READ(12)", "WRITE(10)", "WRITE(12)"]) {
    for (const lba of [2 ** 31, 2 ** 32 - 1]) {
      const { outcome } = await run(nexus, blocksCdb(name, { lba, blocks: 1 }));
      assertEquals(outcome, "logicalBlockAddressOutOfRange", name);
    }
  }
  for (const name of ["READ(16)", "WRITE(16)"]) {
    for (const blocks of [0, 1, 2]) {
      const block = blocksCdb(name, { blocks });
      block.fill(0xff, 2, 10);
      assertEquals((await run(nexus, block)).outcome, "logicalBlockAddressOutOfRange", name);
    }
  }
});

Deno.test("the last block of 16 TiB can be written and read", async () => {
  for (const blockSizeBytes of [512, 4096]) {
    const nexus = openUnit({ store: memory(2 ** 44), blockSizeBytes });
    const lba = 2 ** 44 / blockSizeBytes - 1;
    const data = pattern(blockSizeBytes);
    assertEquals((await run(nexus, blocksCdb("WRITE(16)", { lba }), { dataOut: data })).outcome, "good");
    assertEquals((await run(nexus, blocksCdb("READ(16)", { lba }))).data, data);
    const beyond = await run(nexus, blocksCdb("READ(16)", { lba, blocks: 2 }));
    assertEquals(beyond.outcome, "logicalBlockAddressOutOfRange");
  }
});

Deno.test("protection information is refused", async () => {
  const nexus = openUnit();
  for (const name of [...READS.slice(1), ...WRITES.slice(1)]) {
    for (let protect = 1; protect < 8; protect++) {
      assertFieldRefused(await run(nexus, blocksCdb(name, { flags: protect << 5 })), 1, 7);
    }
  }
});

Deno.test("more than the maximum transfer length is refused, and the maximum is not", async () => {
  const nexus = openUnit({ store: memory(2 ** 30) });
  const maximum = 16 * 1024 * 1024 / 512;
  const lengthBytes = new Map([["(10)", 7], ["(12)", 6], ["(16)", 10]]);
  for (const name of [...READS.slice(1), ...WRITES.slice(1)]) {
    const operation = nexus.execute(0, blocksCdb(name, { blocks: maximum }));
    assert(operation.kind === "dataIn" || operation.kind === "dataOut", name);
    assertEquals(operation.lengthBytes, maximum * 512);
    const byte = lengthBytes.get(name.slice(-4))!;
    assertFieldRefused(await run(nexus, blocksCdb(name, { blocks: maximum + 1 })), byte);
  }
});

Deno.test("WRITE with FUA ends with a flush, and no other WRITE does", async () => {
  const store = memory();
  const nexus = openUnit({ store });
  for (const name of READS) await run(nexus, blocksCdb(name, {}));
  for (const name of WRITES) await run(nexus, blocksCdb(name, {}), { dataOut: pattern(512) });
  for (const name of WRITES.slice(1)) {
    await run(nexus, blocksCdb(name, { flags: 0x10 }), { dataOut: pattern(512) });
  }
  assertEquals(store.flushCount, 0);
  for (const [index, name] of WRITES.slice(1).entries()) {
    const { outcome } = await run(nexus, blocksCdb(name, { flags: FUA }), { dataOut: pattern(512) });
    assertEquals([outcome, store.flushCount], ["good", index + 1]);
  }
});

Deno.test("WRITE with FUA is not good before the flush is", async () => {
  const slow = new SlowStore(memory());
  const nexus = openUnit({ store: slow });
  let isDone = false;
  const block = blocksCdb("WRITE(10)", { flags: FUA });
  const done = run(nexus, block, { dataOut: pattern(512) }).then((result) => {
    isDone = true;
    return result;
  });
  await settle();
  slow.release();
  await settle();
  assertEquals([isDone, slow.pending[0]?.operation], [false, "flush"]);
  slow.release();
  assertEquals((await done).outcome, "good");
});

Deno.test("WRITE writes only what the initiator sends", async () => {
  const store = memory();
  const nexus = openUnit({ store });
  await run(nexus, blocksCdb("WRITE(10)", { blocks: 2 }), { dataOut: pattern(1024, 1) });
  const result = await run(nexus, blocksCdb("WRITE(10)", { blocks: 2 }), { dataOut: pattern(512, 2) });
  assertEquals([result.outcome, result.lengthBytes], ["good", 1024]);
  const { data } = await run(nexus, blocksCdb("READ(10)", { blocks: 2 }));
  assertEquals(data.subarray(0, 512), pattern(512, 2));
  assertEquals(data.subarray(512), pattern(1024, 1).subarray(512));
});

Deno.test("a slow store is read and written later, piece by piece", async () => {
  const store = memory();
  const slow = new SlowStore(store, { delayMs: 0 });
  const nexus = openUnit({ store: slow });
  const data = pattern(3 * 512);
  const written = await run(nexus, blocksCdb("WRITE(10)", { lba: 9, blocks: 3 }), {
    dataOut: data,
    pieceBytes: 512,
  });
  assertEquals([written.outcome, store.writeCount], ["good", 3]);
  assertEquals((await run(nexus, blocksCdb("READ(10)", { lba: 9, blocks: 3 }))).data, data);
});

Deno.test("an operation that the transport forgets does nothing by itself", async () => {
  const slow = new SlowStore(memory());
  const nexus = openUnit({ store: slow });
  const operation = nexus.execute(0, blocksCdb("WRITE(10)", { blocks: 2, flags: FUA }));
  await settle();
  assertEquals([operation.kind, slow.pending], ["dataOut", []]);
});

Deno.test("failures of the store become sense data, in both forms of reading and writing", async () => {
  const conditions: readonly (readonly ["read" | "write" | "flush", StoreErrorKind, string])[] = [
    ["read", "readFailed", "unrecoveredReadError"],
    ["write", "writeFailed", "writeError"],
    ["write", "outOfSpace", "spaceAllocationFailedWriteProtect"],
    ["write", "readOnly", "writeProtected"],
    ["flush", "flushFailed", "writeError"],
    ["flush", "outOfSpace", "spaceAllocationFailedWriteProtect"],
  ];
  for (const [operation, kind, condition] of conditions) {
    const faulty = new FaultyStore(memory());
    faulty.inject({ operation, kind });
    for (const store of [faulty, new SlowStore(faulty, { delayMs: 0 })]) {
      const name = operation === "read" ? "READ(16)" : "WRITE(16)";
      const block = blocksCdb(name, { flags: FUA });
      assertEquals(
        (await run(openUnit({ store }), block, { dataOut: pattern(512) })).outcome,
        condition,
        kind,
      );
    }
  }
});

Deno.test("a failure ends the command at once, and the unit keeps working", async () => {
  const store = memory();
  const faulty = new FaultyStore(store);
  faulty.inject({ operation: "write", kind: "outOfSpace", startBytes: 1024, endBytes: 1536 });
  const nexus = openUnit({ store: faulty });
  const block = blocksCdb("WRITE(10)", { blocks: 4 });
  const result = await run(nexus, block, { dataOut: pattern(2048), pieceBytes: 512 });
  assertEquals([result.outcome, store.writeCount], ["spaceAllocationFailedWriteProtect", 2]);
  assertEquals(
    (await run(nexus, blocksCdb("WRITE(10)", { lba: 3 }), { dataOut: pattern(512) })).outcome,
    "good",
  );
  faulty.inject({ operation: "read", kind: "readFailed", startBytes: 512, endBytes: 1024 });
  const read = await run(nexus, blocksCdb("READ(10)", { blocks: 4 }), { pieceBytes: 512 });
  assertEquals([read.outcome, read.data], ["unrecoveredReadError", pattern(2048).subarray(0, 512)]);
});

Deno.test("an exception that is no StoreError is not reported as a failure of the store", async () => {
  const store = memory();
  const nexus = openUnit({ store });
  store.close();
  const operation = nexus.execute(0, blocksCdb("READ(10)", {}));
  let message = "";
  await complete(operation).catch((error: Error) => message = error.message);
  assertEquals(message, "Cannot access a store that is closed");
});

Deno.test("a medium that completes later begins at once if no other command holds the range", async () => {
  const store = new SlowStore(memory());
  const nexus = openUnit({ store });
  const reading = nexus.execute(0, blocksCdb("READ(10)", { lba: 8 }));
  const writing = nexus.execute(0, blocksCdb("WRITE(10)", { lba: 16 }));
  assert(reading.kind === "dataIn" && writing.kind === "dataOut");
  const outcomes = [reading.read(0, new Uint8Array(512)), writing.write(0, pattern(512))];
  // No promise has settled: a wait for them would delay the rest of the connection.
  assertEquals(store.pending.map(({ operation, offset }) => `${operation} ${offset}`), [
    "read 4096",
    "write 8192",
  ]);
  store.releaseAll();
  await Promise.all(outcomes);
  writing.finish(512);
});
