import { assert, assertEquals } from "@std/assert";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { assertFieldRefused, blocksCdb, openUnit, run } from "../fixture.ts";

const NAMES = ["PRE-FETCH(10)", "PRE-FETCH(16)"];
const IMMED = 0x02;
const CONDITION_MET = "4";
const MIB = 1024 * 1024;

async function settle(): Promise<void> {
  for (let round = 0; round < 20; round++) await new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("PRE-FETCH reads all the blocks, and ends with CONDITION MET", async () => {
  for (const name of NAMES) {
    const store = new SlowStore(new MemoryStore({ sizeBytes: MIB }));
    const nexus = openUnit({ store });
    const result = run(nexus, blocksCdb(name, { lba: 1, blocks: 1025 }));
    await settle();
    assertEquals(store.pending, [{ operation: "read", offset: 512, lengthBytes: 256 * 1024 }]);
    for (let piece = 0; piece < 3; piece++) {
      store.release();
      await settle();
    }
    assertEquals(store.pending, []);
    assertEquals((await result).outcome, CONDITION_MET);
  }
});

Deno.test("PRE-FETCH with IMMED answers at once, and still reads", async () => {
  for (const name of NAMES) {
    const store = new SlowStore(new MemoryStore({ sizeBytes: MIB }));
    const operation = openUnit({ store }).execute(0, blocksCdb(name, { lba: 2, blocks: 3, flags: IMMED }));
    assert(operation.kind === "finished");
    assertEquals(operation.outcome.status, 0x04);
    await settle();
    assertEquals(store.pending, [{ operation: "read", offset: 1024, lengthBytes: 1536 }]);
    store.releaseAll();
    await settle();
  }
});

Deno.test("PRE-FETCH of zero blocks means all up to the last, of which it reads up to its limit", async () => {
  for (const name of NAMES) {
    const small = openUnit({ store: new MemoryStore({ sizeBytes: 16 * MIB + 512 }) });
    assertEquals((await run(small, blocksCdb(name, { lba: 1, blocks: 0 }))).outcome, CONDITION_MET);
    assertEquals((await run(small, blocksCdb(name, { lba: 0, blocks: 0 }))).outcome, "good");
    assertEquals((await run(small, blocksCdb(name, { lba: 0, blocks: 0, flags: IMMED }))).outcome, "good");
    await settle();
  }
  const nexus = openUnit({ store: new MemoryStore({ sizeBytes: 64 * MIB }) });
  assertFieldRefused(await run(nexus, blocksCdb("PRE-FETCH(10)", { blocks: 32769 })), 7);
  assertFieldRefused(await run(nexus, blocksCdb("PRE-FETCH(16)", { blocks: 32769 })), 10);
});

Deno.test("PRE-FETCH ends with GOOD, and reads nothing, while another one is reading", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: MIB }));
  const nexus = openUnit({ store });
  const immediate = blocksCdb("PRE-FETCH(16)", { flags: IMMED });
  const outcomes: string[] = [];
  for (let count = 0; count < 6; count++) outcomes.push((await run(nexus, immediate)).outcome);
  assertEquals(outcomes, [CONDITION_MET, CONDITION_MET, CONDITION_MET, CONDITION_MET, "good", "good"]);
  await settle();
  assertEquals(store.pending.length, 4);
  store.releaseAll();
  await settle();
  assertEquals((await run(nexus, immediate)).outcome, CONDITION_MET);
  store.releaseAll();
  await settle();
});

Deno.test("PRE-FETCH fails where reading fails, except with IMMED", async () => {
  const store = new FaultyStore(new MemoryStore({ sizeBytes: MIB }));
  store.inject({ operation: "read", kind: "readFailed" });
  const nexus = openUnit({ store });
  assertEquals((await run(nexus, blocksCdb("PRE-FETCH(10)", {}))).outcome, "unrecoveredReadError");
  assertEquals((await run(nexus, blocksCdb("PRE-FETCH(10)", { flags: IMMED }))).outcome, CONDITION_MET);
  await settle();
  for (const name of NAMES) {
    const beyond = await run(nexus, blocksCdb(name, { lba: 2048, blocks: 1 }));
    assertEquals(beyond.outcome, "logicalBlockAddressOutOfRange");
  }
});
