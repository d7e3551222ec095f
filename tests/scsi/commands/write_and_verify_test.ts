import { assert, assertEquals } from "@std/assert";
import type { BlockStore } from "../../../lib/store/block_store.ts";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { assertFieldRefused, blocksCdb, complete, openUnit, pattern, run } from "../fixture.ts";

const NAMES = ["WRITE AND VERIFY(10)", "WRITE AND VERIFY(12)", "WRITE AND VERIFY(16)"];
const BYTCHK = 0x02;

function memory(): MemoryStore {
  return new MemoryStore({ sizeBytes: 1024 * 1024 });
}

/** A store that does not store the data it receives. */
class ForgetfulStore extends FaultyStore {
  readonly #store: BlockStore;

  constructor(store: BlockStore) {
    super(store);
    this.#store = store;
  }

  override async write(offset: number, from: Uint8Array): Promise<void> {
    const kept = from.slice();
    kept[kept.length - 1]! ^= 1;
    await this.#store.write(offset, kept);
  }
}

Deno.test("WRITE AND VERIFY writes durably, with any BYTCHK", async () => {
  for (const name of NAMES) {
    for (const flags of [0, BYTCHK, 0x10, 0x10 | BYTCHK]) {
      const store = memory();
      const nexus = openUnit({ store });
      const dataOut = pattern(5 * 512, flags);
      const result = await run(nexus, blocksCdb(name, { lba: 7, blocks: 5, flags }), { dataOut });
      assertEquals([result.outcome, store.flushCount], ["good", 1], name);
      const written = new Uint8Array(dataOut.length);
      store.readNow(7 * 512, written);
      assertEquals(written, dataOut);
    }
  }
});

Deno.test("WRITE AND VERIFY with BYTCHK 1 finds data that was not written as it was sent", async () => {
  for (const name of NAMES) {
    const nexus = openUnit({ store: new ForgetfulStore(memory()) });
    const dataOut = pattern(1024);
    const checked = await run(nexus, blocksCdb(name, { blocks: 2, flags: BYTCHK }), { dataOut });
    assertEquals(checked.outcome, "miscompareDuringVerifyOperation", name);
    assertEquals((await run(nexus, blocksCdb(name, { blocks: 2 }), { dataOut })).outcome, "good");
  }
});

Deno.test("WRITE AND VERIFY with BYTCHK 0 finds data that cannot be read", async () => {
  const store = new FaultyStore(memory());
  store.inject({ operation: "read", kind: "readFailed", startBytes: 1023, endBytes: 1024 });
  const nexus = openUnit({ store });
  for (const name of NAMES) {
    const verified = await run(nexus, blocksCdb(name, { blocks: 2 }), { dataOut: pattern(1024) });
    assertEquals(verified.outcome, "unrecoveredReadError", name);
    const beside = await run(nexus, blocksCdb(name, { lba: 2 }), { dataOut: pattern(512) });
    assertEquals(beside.outcome, "good");
  }
});

Deno.test("WRITE AND VERIFY reports failures of writes and flushes", async () => {
  for (
    const [operation, kind, outcome] of [
      ["write", "outOfSpace", "spaceAllocationFailedWriteProtect"],
      ["flush", "flushFailed", "writeError"],
    ] as const
  ) {
    const store = new FaultyStore(memory());
    store.inject({ operation, kind });
    const result = await run(openUnit({ store }), blocksCdb(NAMES[0]!, {}), { dataOut: pattern(512) });
    assertEquals(result.outcome, outcome);
  }
});

Deno.test("WRITE AND VERIFY verifies as much as it received", async () => {
  const store = memory();
  const operation = openUnit({ store }).execute(0, blocksCdb(NAMES[2]!, { blocks: 8 }));
  assert(operation.kind === "dataOut");
  assertEquals(operation.writeNow(0, pattern(512)), undefined);
  await operation.write(0, pattern(512));
  assertEquals((await complete(operation.finish(512))).outcome, "good");
});

Deno.test("WRITE AND VERIFY refuses protection, reserved checks, and blocks out of range", async () => {
  const nexus = openUnit({ store: memory() });
  for (const name of NAMES) {
    for (const flags of [0x20, 0xe0]) assertFieldRefused(await run(nexus, blocksCdb(name, { flags })), 1, 7);
    for (const flags of [0x04, 0x06]) assertFieldRefused(await run(nexus, blocksCdb(name, { flags })), 1, 2);
    assertEquals((await run(nexus, blocksCdb(name, { blocks: 0 }))).outcome, "good");
    const beyond = await run(nexus, blocksCdb(name, { lba: 2047, blocks: 2 }));
    assertEquals(beyond.outcome, "logicalBlockAddressOutOfRange");
  }
});

Deno.test("WRITE AND VERIFY refuses more than the maximum transfer length, and points at it", async () => {
  const nexus = openUnit({ store: new MemoryStore({ sizeBytes: 2 ** 30 }) });
  for (const [index, byte] of [7, 6, 10].entries()) {
    assertFieldRefused(await run(nexus, blocksCdb(NAMES[index]!, { blocks: 32_769 })), byte);
  }
});
