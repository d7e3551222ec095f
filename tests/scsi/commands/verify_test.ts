import { assert, assertEquals } from "@std/assert";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import { GOOD } from "../../../lib/scsi/outcome/outcome.ts";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { assertFieldRefused, blocksCdb, complete, openUnit, pattern, run } from "../fixture.ts";

const VERIFIES = ["VERIFY(10)", "VERIFY(12)", "VERIFY(16)"];
const COMPARE_ALL = 0b01 << 1;
const COMPARE_ONE = 0b11 << 1;

/** Opens a unit with `data` at address 4. */
async function openUnitWith(data: Uint8Array): Promise<Nexus> {
  const nexus = openUnit();
  const { outcome } = await run(nexus, blocksCdb("WRITE(10)", { lba: 4, blocks: data.length / 512 }), {
    dataOut: data,
  });
  assertEquals(outcome, "good");
  return nexus;
}

function flip(data: Uint8Array, index: number): Uint8Array {
  return data.map((byte, at) => at === index ? byte ^ 0x01 : byte);
}

Deno.test("VERIFY with BYTCHK 00b takes no data and reads every block of its range", async () => {
  for (const name of VERIFIES) {
    const faulty = new FaultyStore(new MemoryStore({ sizeBytes: 1024 * 1024 }));
    const nexus = openUnit({ store: faulty });
    const block = blocksCdb(name, { lba: 1, blocks: 1025 });
    const good = await run(nexus, block);
    assertEquals([good.outcome, good.lengthBytes], ["good", 0]);
    for (const startBytes of [0, 1026 * 512]) {
      faulty.inject({ operation: "read", kind: "readFailed", startBytes, endBytes: startBytes + 512 });
    }
    assertEquals((await run(nexus, block)).outcome, "good", "the blocks beside the range fail");
    for (const startBytes of [1 * 512, 513 * 512, 1025 * 512]) {
      faulty.heal();
      faulty.inject({ operation: "read", kind: "readFailed", startBytes, endBytes: startBytes + 1 });
      assertEquals((await run(nexus, block)).outcome, "unrecoveredReadError", `${name} ${startBytes}`);
    }
  }
});

Deno.test("VERIFY with BYTCHK 01b compares every byte that is sent", async () => {
  const data = pattern(3 * 512);
  const nexus = await openUnitWith(data);
  for (const name of VERIFIES) {
    const block = blocksCdb(name, { lba: 4, blocks: 3, flags: COMPARE_ALL });
    const good = await run(nexus, block, { dataOut: data, pieceBytes: 700 });
    assertEquals([good.outcome, good.lengthBytes], ["good", data.length]);
    for (const index of [0, 699, 700, 1000, data.length - 1]) {
      const result = await run(nexus, block, { dataOut: flip(data, index), pieceBytes: 700 });
      assertEquals(result.outcome, "miscompareDuringVerifyOperation", `${name} ${index}`);
    }
  }
});

Deno.test("VERIFY with BYTCHK 01b compares pieces that are larger than it reads at a time", async () => {
  const data = pattern(1100 * 512);
  const nexus = await openUnitWith(data);
  const block = blocksCdb("VERIFY(10)", { lba: 4, blocks: 1100, flags: COMPARE_ALL });
  for (const pieceBytes of [data.length, 300_000]) {
    assertEquals((await run(nexus, block, { dataOut: data, pieceBytes })).outcome, "good");
    for (const index of [256 * 1024 - 1, 256 * 1024, data.length - 1]) {
      const result = await run(nexus, block, { dataOut: flip(data, index), pieceBytes });
      assertEquals(result.outcome, "miscompareDuringVerifyOperation");
    }
  }
});

Deno.test("VERIFY with BYTCHK 11b compares every block with the one that is sent", async () => {
  const one = pattern(512);
  const data = new Uint8Array(700 * 512);
  for (let offset = 0; offset < data.length; offset += 512) data.set(one, offset);
  for (const name of VERIFIES) {
    const block = blocksCdb(name, { lba: 4, blocks: 700, flags: COMPARE_ONE });
    const good = await run(await openUnitWith(data), block, { dataOut: one, pieceBytes: 100 });
    assertEquals([good.outcome, good.lengthBytes], ["good", 512]);
    for (const index of [0, 511, 512, data.length - 1]) {
      const result = await run(await openUnitWith(flip(data, index)), block, { dataOut: one });
      assertEquals(result.outcome, "miscompareDuringVerifyOperation", `${name} ${index}`);
    }
  }
});

Deno.test("VERIFY does not end with GOOD if the initiator did not send all blocks", async () => {
  const data = pattern(1024);
  const nexus = await openUnitWith(data);
  const all = blocksCdb("VERIFY(10)", { lba: 4, blocks: 2, flags: COMPARE_ALL });
  const one = blocksCdb("VERIFY(10)", { lba: 4, blocks: 1, flags: COMPARE_ONE });
  for (const [block, length] of [[all, 0], [all, 1023], [one, 0], [one, 511]] as const) {
    const { outcome } = await run(nexus, block, { dataOut: data.subarray(0, length) });
    assertEquals(outcome, "invalidFieldInCommandInformationUnit");
  }
});

Deno.test("VERIFY refuses unsupported requests", async () => {
  const nexus = openUnit({ store: new MemoryStore({ sizeBytes: 2 ** 30 }) });
  const lengthBytes = new Map([["VERIFY(10)", 7], ["VERIFY(12)", 6], ["VERIFY(16)", 10]]);
  for (const name of VERIFIES) {
    for (let protect = 1; protect < 8; protect++) {
      assertFieldRefused(await run(nexus, blocksCdb(name, { flags: protect << 5 })), 1, 7);
    }
    assertFieldRefused(await run(nexus, blocksCdb(name, { flags: 0b10 << 1 })), 1, 2);
    for (const flags of [0, COMPARE_ALL, COMPARE_ONE]) {
      assertFieldRefused(await run(nexus, blocksCdb(name, { blocks: 32769, flags })), lengthBytes.get(name)!);
      for (const blocks of [0, 1]) {
        const { outcome } = await run(nexus, blocksCdb(name, { lba: 2 ** 21 + 1, blocks, flags }));
        assertEquals(outcome, "logicalBlockAddressOutOfRange");
      }
      assertEquals((await run(nexus, blocksCdb(name, { blocks: 0, flags }))).outcome, "good");
    }
  }
});

Deno.test("VERIFY waits for a slow store, and never for longer than it reads", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: 1024 * 1024 }), { delayMs: 0 });
  const nexus = openUnit({ store });
  for (const flags of [0, COMPARE_ALL, COMPARE_ONE]) {
    const block = blocksCdb("VERIFY(10)", { blocks: 600, flags });
    assertEquals(
      (await run(nexus, block, { dataOut: new Uint8Array(600 * 512), pieceBytes: 65536 })).outcome,
      "good",
    );
  }
});

Deno.test("VERIFY with BYTCHK 11b also takes its block from a transport that waits", async () => {
  const nexus = await openUnitWith(pattern(512));
  const operation = nexus.execute(0, blocksCdb("VERIFY(10)", { lba: 4, flags: COMPARE_ONE }));
  assert(operation.kind === "dataOut");
  assertEquals(await operation.write(0, pattern(512).subarray(0, 300)), GOOD);
  assertEquals(await operation.write(300, pattern(512).subarray(300)), GOOD);
  assertEquals((await complete(operation.finish(512))).outcome, "good");
});
