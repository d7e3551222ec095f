import { assertEquals } from "@std/assert";
import { MemoryStore } from "../../support/memory_store.ts";
import { assertFieldRefused, assertHex, cdb, openUnit, run } from "../fixture.ts";

const READ_CAPACITY_10 = cdb("25");
const READ_CAPACITY_16 = cdb("9e 10 00 00 00 00 00 00 00 00 00 00 00 20");

Deno.test("READ CAPACITY(10) gives the last address and the block length", async () => {
  assertHex((await run(openUnit(), READ_CAPACITY_10)).data, "00 00 07 ff 00 00 02 00");
  const large = openUnit({ store: new MemoryStore({ sizeBytes: 2 ** 44 }), blockSizeBytes: 4096 });
  assertHex((await run(large, READ_CAPACITY_10)).data, "ff ff ff ff 00 00 10 00");
});

Deno.test("READ CAPACITY(10) gives FFFFFFFFh when the last address is larger", async () => {
  const store = new MemoryStore({ sizeBytes: 2 ** 44 });
  assertHex((await run(openUnit({ store }), READ_CAPACITY_10)).data, "ff ff ff ff 00 00 02 00");
});

Deno.test("READ CAPACITY(10) ignores a length in the reserved byte 8, and refuses PMI", async () => {
  const withLength = cdb("25 00 00 00 00 00 00 00 08");
  assertHex((await run(openUnit(), withLength)).data, "00 00 07 ff 00 00 02 00");
  assertFieldRefused(await run(openUnit(), cdb("25 00 00 00 00 00 00 00 01")), 8, 0);
});

Deno.test("READ CAPACITY(16) returns what does not fit into (10)", async () => {
  const store = new MemoryStore({ sizeBytes: 2 ** 44 });
  assertHex(
    (await run(openUnit({ store }), READ_CAPACITY_16)).data,
    `
    00 00 00 07 ff ff ff ff 00 00 02 00 00 03 00 00
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    `,
  );
  const large = await run(openUnit({ store, blockSizeBytes: 4096 }), READ_CAPACITY_16);
  assertHex(large.data.subarray(0, 16), "00 00 00 00 ff ff ff ff 00 00 10 00 00 00 00 00");
});

Deno.test("READ CAPACITY(16) is cut at any allocation length", async () => {
  const nexus = openUnit();
  for (const allocationLength of [0, 1, 12, 31, 255]) {
    const block = READ_CAPACITY_16.slice();
    block[13] = allocationLength;
    const { outcome, data } = await run(nexus, block);
    assertEquals([outcome, data.length], ["good", Math.min(allocationLength, 32)]);
  }
});
