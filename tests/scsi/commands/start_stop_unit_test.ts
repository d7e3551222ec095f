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

/** Makes the callbacks of settled promises run. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

async function readiness(nexus: Nexus): Promise<string> {
  return (await run(nexus, cdb("00"))).outcome;
}

Deno.test("START STOP UNIT stops the unit for everybody, and anybody starts it", async () => {
  const target = makeTarget(makeUnit());
  const [one, two] = [openReadyNexus(target), openReadyNexus(target)];
  assertEquals((await run(one, STOP)).outcome, "good");
  assertEquals(await readiness(two), "initializingCommandRequired");
  assertEquals((await run(two, STOP)).outcome, "good", "it may be stopped again");
  assertEquals((await run(two, START)).outcome, "good");
  assertEquals(await readiness(one), "good");
});

Deno.test("START STOP UNIT flushes before it stops, and is stopped when it is good", async () => {
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

Deno.test("START STOP UNIT whose flush fails says so, at once with the unit going on, or afterwards", async () => {
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

Deno.test("START STOP UNIT knows one power condition, ACTIVE, with which other bits do not count", async () => {
  const nexus = openUnit();
  await run(nexus, STOP);
  for (let powerCondition = 2; powerCondition < 16; powerCondition++) {
    const block = cdb("1b");
    block[4] = powerCondition << 4 | 0x01;
    assertFieldRefused(await run(nexus, block), 4, 7);
  }
  for (const powerCondition of ["00", "10"]) {
    assertFieldRefused(await run(nexus, cdb(`1b 00 00 01 ${powerCondition}`)), 3, 3);
  }
  assertEquals(await readiness(nexus), "initializingCommandRequired");
  assertEquals((await run(nexus, cdb("1b 00 00 00 12"))).outcome, "good");
  assertEquals(await readiness(nexus), "good");
});
