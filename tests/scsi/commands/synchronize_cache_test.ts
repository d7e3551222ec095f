import { assertEquals } from "@std/assert";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import {
  assertHex,
  blocksCdb,
  cdb,
  makeTarget,
  makeUnit,
  openReadyNexus,
  openUnit,
  run,
} from "../fixture.ts";

const NAMES = ["SYNCHRONIZE CACHE(10)", "SYNCHRONIZE CACHE(16)"];
const IMMED = 0x02;

function memory(): MemoryStore {
  return new MemoryStore({ sizeBytes: 1024 * 1024 });
}

/** Runs the callbacks of settled promises. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("SYNCHRONIZE CACHE ends when the flush has", async () => {
  for (const name of NAMES) {
    const store = memory();
    const slow = new SlowStore(store);
    const ending = run(openUnit({ store: slow }), blocksCdb(name, { blocks: 0 }));
    assertEquals(slow.pending.map(({ operation }) => operation), ["flush"]);
    assertEquals(store.flushCount, 0);
    slow.release();
    assertEquals((await ending).outcome, "good");
    assertEquals(store.flushCount, 1);
  }
});

Deno.test("SYNCHRONIZE CACHE with IMMED has ended before the flush has", async () => {
  for (const name of NAMES) {
    const store = memory();
    const slow = new SlowStore(store);
    const operation = openUnit({ store: slow }).execute(0, blocksCdb(name, { flags: IMMED }));
    assertEquals([operation.kind, store.flushCount], ["finished", 0]);
    slow.release();
    await settle();
    assertEquals(store.flushCount, 1);
  }
});

Deno.test("SYNCHRONIZE CACHE checks its range", async () => {
  const store = memory();
  const nexus = openUnit({ store });
  for (const name of NAMES) {
    for (const [lba, blocks] of [[0, 0], [0, 2048], [2047, 1], [2048, 0]] as const) {
      assertEquals((await run(nexus, blocksCdb(name, { lba, blocks }))).outcome, "good");
    }
    const { flushCount } = store;
    for (const [lba, blocks] of [[2049, 0], [2048, 1], [0, 2049], [2 ** 32 - 1, 0]] as const) {
      for (const flags of [0, IMMED]) {
        const { outcome } = await run(nexus, blocksCdb(name, { lba, blocks, flags }));
        assertEquals(outcome, "logicalBlockAddressOutOfRange");
      }
    }
    assertEquals(store.flushCount, flushCount);
  }
});

Deno.test("SYNCHRONIZE CACHE that fails reports this, at once or afterwards to the same initiator", async () => {
  const store = new FaultyStore(memory());
  store.inject({ operation: "flush", kind: "flushFailed" });
  const target = makeTarget(makeUnit({ store }));
  const [one, two] = [openReadyNexus(target), openReadyNexus(target)];
  for (const name of NAMES) {
    assertEquals((await run(one, blocksCdb(name, {}))).outcome, "writeError");
    assertEquals((await run(one, cdb("00"))).outcome, "good");
    assertEquals((await run(one, blocksCdb(name, { flags: IMMED }))).outcome, "good");
    await settle();
    const later = await run(one, cdb("00"));
    assertHex(later.sense!, "71 00 03 00 00 00 00 0a 00 00 00 00 0c 00 00 00 00 00");
    assertEquals((await run(one, cdb("00"))).outcome, "good");
    assertEquals((await run(two, cdb("00"))).outcome, "good");
  }
});

Deno.test("SYNCHRONIZE CACHE works on a write protected unit, which has nothing to write", async () => {
  for (const name of NAMES) {
    assertEquals((await run(openUnit({ readOnly: true }), blocksCdb(name, {}))).outcome, "good");
  }
});

Deno.test("SYNCHRONIZE CACHE fails once for each initiator when writes were lost", async () => {
  const unit = makeUnit({ store: memory() });
  const target = makeTarget(unit);
  const nexus = openReadyNexus(target);
  unit.loseWrites();
  for (const name of NAMES) {
    const { outcome } = await run(nexus, blocksCdb(name, { blocks: 0 }));
    assertEquals(outcome, name === NAMES[0] ? "writeError" : "good");
  }
  unit.loseWrites();
  // With IMMED there is no other report.
  const immediate = blocksCdb(NAMES[0]!, { blocks: 0, flags: IMMED });
  assertEquals((await run(nexus, immediate)).outcome, "writeError");
  assertEquals((await run(nexus, immediate)).outcome, "good");
});
