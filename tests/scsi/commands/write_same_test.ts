import { assertEquals } from "@std/assert";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import {
  assertFieldRefused,
  type Blocks,
  blocksCdb,
  complete,
  openUnit,
  pattern,
  type Result,
  run,
} from "../fixture.ts";

const UNMAP = 0x08;
const NDOB = 0x01;
const BOTH = ["WRITE SAME(10)", "WRITE SAME(16)"] as const;

function writeSame(
  nexus: Nexus,
  name: string,
  blocks: Blocks,
  block: Uint8Array = new Uint8Array(512),
): Promise<Result> {
  return run(nexus, blocksCdb(name, blocks), { dataOut: block });
}

function makeStore(): MemoryStore {
  const store = new MemoryStore({ sizeBytes: 1024 * 1024, canUnmap: true });
  store.writeNow(0, new Uint8Array(store.sizeBytes).fill(0xa5));
  return store;
}

function contentOf(store: MemoryStore): Uint8Array {
  const content = new Uint8Array(store.sizeBytes);
  store.readNow(0, content);
  return content;
}

Deno.test("WRITE SAME writes its block everywhere, and nowhere else", async () => {
  for (const name of BOTH) {
    for (const flags of [0, UNMAP]) {
      const store = makeStore();
      const block = pattern(512);
      assertEquals(
        (await writeSame(openUnit({ store }), name, { lba: 3, blocks: 700, flags }, block)).outcome,
        "good",
      );
      const expected = new Uint8Array(store.sizeBytes).fill(0xa5);
      for (let lba = 3; lba < 703; lba++) expected.set(block, lba * 512);
      assertEquals(contentOf(store), expected);
      assertEquals(store.pageCount, 256, "what is not zero cannot be unmapped");
    }
  }
});

Deno.test("WRITE SAME unmaps blocks of zeros with UNMAP, and not without it", async () => {
  for (const name of BOTH) {
    for (const flags of [0, UNMAP]) {
      const store = makeStore();
      assertEquals(
        (await writeSame(openUnit({ store }), name, { lba: 8, blocks: 16, flags })).outcome,
        "good",
      );
      assertEquals(contentOf(store).subarray(8 * 512, 24 * 512), new Uint8Array(16 * 512));
      assertEquals(store.pageCount, flags === 0 ? 256 : 254);
    }
  }
});

Deno.test("WRITE SAME(16) without a block writes zeros", async () => {
  for (const flags of [NDOB, NDOB | UNMAP]) {
    const store = makeStore();
    const result = await run(openUnit({ store }), blocksCdb("WRITE SAME(16)", { lba: 8, blocks: 8, flags }));
    assertEquals([result.outcome, result.lengthBytes], ["good", 0]);
    assertEquals(contentOf(store).subarray(8 * 512, 16 * 512), new Uint8Array(8 * 512));
    assertEquals(store.pageCount, flags === NDOB ? 256 : 255);
  }
});

Deno.test("WRITE SAME of no blocks writes up to the end", async () => {
  for (const name of BOTH) {
    const store = makeStore();
    const nexus = openUnit({ store });
    assertEquals((await writeSame(nexus, name, { lba: 2040, blocks: 0 })).outcome, "good");
    const content = contentOf(store);
    assertEquals(content[2040 * 512 - 1], 0xa5);
    assertEquals(content.subarray(2040 * 512), new Uint8Array(8 * 512));
    assertEquals(
      (await writeSame(nexus, name, { lba: 2048, blocks: 0 })).outcome,
      "logicalBlockAddressOutOfRange",
    );
  }
});

Deno.test("WRITE SAME refuses more than one command may write, even up to the end", async () => {
  const store = new MemoryStore({ sizeBytes: 2 ** 40 });
  const nexus = openUnit({ store });
  assertFieldRefused(await writeSame(nexus, "WRITE SAME(16)", { blocks: 32769 }), 10);
  assertFieldRefused(await writeSame(nexus, "WRITE SAME(10)", { blocks: 0 }), 7);
  assertEquals(store.writeCount, 0);
  assertEquals(
    (await writeSame(nexus, "WRITE SAME(16)", { lba: 2 ** 31 - 32768, blocks: 32768 })).outcome,
    "good",
  );
});

Deno.test("WRITE SAME refuses unsupported requests", async () => {
  const store = makeStore();
  const nexus = openUnit({ store });
  for (const name of BOTH) {
    for (const [flags, bit] of [[0x20, 7], [0x10, 4], [0x18, 4]] as const) {
      assertFieldRefused(await writeSame(nexus, name, { flags }), 1, bit);
    }
    assertEquals(
      (await writeSame(nexus, name, { lba: 2047, blocks: 2 })).outcome,
      "logicalBlockAddressOutOfRange",
    );
  }
  for (const name of BOTH) {
    // PBDATA and LBDATA.
    assertFieldRefused(await writeSame(nexus, name, { flags: 0x04 }), 1, 2);
    assertFieldRefused(await writeSame(nexus, name, { flags: 0x02 }), 1, 1);
  }
  const half = await writeSame(nexus, "WRITE SAME(10)", {}, new Uint8Array(256));
  assertEquals(half.outcome, "invalidFieldInCommandInformationUnit");
  assertEquals(store.writeCount, 1);
});

Deno.test("WRITE SAME on a full disk reports this, and the unit keeps working", async () => {
  const store = new FaultyStore(makeStore());
  const nexus = openUnit({ store });
  store.inject({ operation: "write", kind: "outOfSpace", startBytes: 300 * 1024 });
  const block = pattern(512);
  assertEquals(
    (await writeSame(nexus, "WRITE SAME(16)", { blocks: 2048 }, block)).outcome,
    "spaceAllocationFailedWriteProtect",
  );
  assertEquals((await writeSame(nexus, "WRITE SAME(16)", { blocks: 8 }, block)).outcome, "good");
});

Deno.test("WRITE SAME that is aborted writes no further, and does not end with GOOD", async () => {
  const store = makeStore();
  const nexus = openUnit({ store });
  const operation = nexus.execute(0, blocksCdb("WRITE SAME(16)", { blocks: 2048, flags: NDOB }));
  if (operation.kind !== "later") throw new Error("It is done at once");
  operation.cancel!();
  assertEquals((await complete(operation)).outcome, "commandsClearedByDeviceServer");
  assertEquals(contentOf(store).at(-1), 0xa5);
});
