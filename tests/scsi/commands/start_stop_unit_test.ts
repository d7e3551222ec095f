import { assertEquals } from "@std/assert";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { assertFieldRefused, cdb, makeTarget, makeUnit, openReadyNexus, openUnit, run } from "../fixture.ts";

const START = cdb("1b 00 00 00 01");
const STOP = cdb("1b 00 00 00 00");
const STOP_AT_ONCE = cdb("1b 01 00 00 00");
const STOP_WITHOUT_FLUSH = cdb("1b 00 00 00 04");

function memory(): MemoryStore {
  return new MemoryStore({ sizeBytes: 1024 * 1024 });
}

/** Runs the callbacks of settled promises. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

async function readiness(nexus: Nexus): Promise<string> {
  return (await run(nexus, cdb("00"))).outcome;
}

Deno.test("START STOP UNIT stops the unit for every initiator, and any initiator starts it", async () => {
  const target = makeTarget(makeUnit());
  const [one, two] = [openReadyNexus(target), openReadyNexus(target)];
  assertEquals((await run(one, STOP)).outcome, "good");
  assertEquals(await readiness(two), "initializingCommandRequired");
  assertEquals((await run(two, STOP)).outcome, "good", "it may be stopped again");
  assertEquals((await run(two, START)).outcome, "good");
  assertEquals(await readiness(one), "good");
});

Deno.test("START STOP UNIT flushes before it stops, and the unit is stopped when it ends with GOOD", async () => {
  const slow = new SlowStore(memory());
  const nexus = openUnit({ store: slow });
  const stopping = run(nexus, STOP);
  assertEquals(slow.pending.length, 1);
  slow.release();
  assertEquals((await stopping).outcome, "good");
  assertEquals(await readiness(nexus), "initializingCommandRequired");
});

Deno.test("START STOP UNIT with IMMED has ended before the flush has", async () => {
  const slow = new SlowStore(memory());
  const nexus = openUnit({ store: slow });
  assertEquals(nexus.execute(0, STOP_AT_ONCE).kind, "finished");
  assertEquals([await readiness(nexus), slow.pending.length], ["initializingCommandRequired", 1]);
  slow.release();
  await settle();
});

Deno.test("START STOP UNIT with NO_FLUSH does not flush", async () => {
  const store = memory();
  const nexus = openUnit({ store });
  assertEquals((await run(nexus, STOP_WITHOUT_FLUSH)).outcome, "good");
  assertEquals([await readiness(nexus), store.flushCount], ["initializingCommandRequired", 0]);
});

Deno.test("START STOP UNIT whose flush fails reports this, at once with the unit running, or afterwards", async () => {
  const store = new FaultyStore(memory());
  store.inject({ operation: "flush", kind: "flushFailed" });
  const nexus = openUnit({ store });
  assertEquals((await run(nexus, STOP)).outcome, "writeError");
  assertEquals(await readiness(nexus), "good");
  assertEquals((await run(nexus, STOP_AT_ONCE)).outcome, "good");
  await settle();
  assertEquals(await readiness(nexus), "deferredWriteError");
  assertEquals(await readiness(nexus), "initializingCommandRequired");
});

Deno.test("START STOP UNIT refuses to load or eject a medium that cannot be removed", async () => {
  const nexus = openUnit();
  assertFieldRefused(await run(nexus, cdb("1b 00 00 00 02")), 4, 1);
  assertFieldRefused(await run(nexus, cdb("1b 01 00 00 03")), 4, 1);
  assertEquals(await readiness(nexus), "good");
});

Deno.test("START STOP UNIT accepts every defined power condition, in which the unit serves commands", async () => {
  const nexus = openUnit();
  for (const powerCondition of [0x1, 0x2, 0x3, 0x7, 0xa, 0xb]) {
    await run(nexus, STOP);
    const block = cdb("1b 00 00 00 02");
    block[4]! |= powerCondition << 4;
    assertEquals((await run(nexus, block)).outcome, "good");
    assertEquals(await readiness(nexus), "good");
  }
  await run(nexus, STOP);
  for (const powerCondition of [0x4, 0x5, 0x6, 0x8, 0x9, 0xc, 0xd, 0xe, 0xf]) {
    const block = cdb("1b 00 00 00 01");
    block[4]! |= powerCondition << 4;
    assertFieldRefused(await run(nexus, block), 4, 7);
  }
  for (const powerCondition of ["00", "10"]) {
    assertFieldRefused(await run(nexus, cdb(`1b 00 00 01 ${powerCondition}`)), 3, 3);
  }
  assertEquals(await readiness(nexus), "initializingCommandRequired");
});

const EJECT = cdb("1b 00 00 00 02");
const EJECT_AT_ONCE = cdb("1b 01 00 00 02");
const LOAD = cdb("1b 00 00 00 03");

Deno.test("a removable unit ejects after a flush, and is not ready until it is loaded", async () => {
  const store = memory();
  const nexus = openUnit({ store, removable: true });
  assertEquals((await run(nexus, EJECT)).outcome, "good");
  assertEquals([await readiness(nexus), store.flushCount], ["mediumNotPresent", 1]);
  for (const block of ["25", "9e 10", "28", "2a", "35", "34", "89", "9c", "2e"]) {
    assertEquals((await run(nexus, cdb(block))).outcome, "mediumNotPresent", block);
  }
  for (
    const block of ["12 00 00 00 ff", "03 00 00 00 ff", "1a 00 3f 00 ff", "a0 00 00 00 00 00 00 00 00 ff"]
  ) {
    assertEquals((await run(nexus, cdb(block))).outcome, "good", block);
  }
  assertEquals((await run(nexus, EJECT)).outcome, "good");
  assertEquals((await run(nexus, LOAD)).outcome, "good");
  assertEquals(await readiness(nexus), "good");
  assertEquals((await run(nexus, EJECT_AT_ONCE)).outcome, "good");
  assertEquals(await readiness(nexus), "mediumNotPresent");
  await settle();
  assertEquals(store.flushCount, 2);
});

Deno.test("a removable unit notifies all other initiators when its medium is loaded", async () => {
  const target = makeTarget(makeUnit({ removable: true }));
  const [first, second] = [openReadyNexus(target), openReadyNexus(target)];
  await run(first, LOAD);
  assertEquals(await readiness(second), "good");
  await run(first, EJECT);
  assertEquals(await readiness(second), "mediumNotPresent");
  await run(first, LOAD);
  assertEquals(await readiness(first), "good");
  assertEquals([await readiness(second), await readiness(second)], ["notReadyToReadyChange", "good"]);
});

Deno.test("a removable unit whose flush fails keeps its medium", async () => {
  const store = new FaultyStore(memory());
  store.inject({ operation: "flush", kind: "flushFailed" });
  const nexus = openUnit({ store, removable: true });
  assertEquals((await run(nexus, EJECT)).outcome, "writeError");
  assertEquals(await readiness(nexus), "good");
});

Deno.test("a removable unit stays ready when it is stopped, and in every power condition", async () => {
  const store = memory();
  const nexus = openUnit({ store, removable: true });
  for (const block of [STOP, STOP_AT_ONCE, STOP_WITHOUT_FLUSH, START]) {
    assertEquals((await run(nexus, block)).outcome, "good");
    assertEquals(await readiness(nexus), "good");
  }
  assertEquals(store.flushCount, 2);
  for (let powerCondition = 1; powerCondition < 16; powerCondition++) {
    assertEquals(
      (await run(nexus, Uint8Array.of(0x1b, 1, 0, 0, powerCondition << 4 | 2, 0))).outcome,
      "good",
    );
    assertEquals(await readiness(nexus), "good");
  }
});
