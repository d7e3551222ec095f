import { assertEquals } from "@std/assert";
import { MemoryStore } from "../../support/memory_store.ts";
import { assertFieldRefused, assertHex, bytes, cdb, openUnit, run } from "../fixture.ts";

const CACHING = "08 12 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00";
const CONTROL = "0a 0a 00 10 00 00 00 00 ff ff 00 00";
const INFORMATIONAL_EXCEPTIONS = "1c 0a 08 00 00 00 00 00 00 00 00 00";
const ALL = `${CACHING} ${CONTROL} ${INFORMATIONAL_EXCEPTIONS}`;
const BLOCKS = "00 00 08 00 00 00 02 00";

Deno.test("MODE SENSE(6) gives a header, a block descriptor and the page", async () => {
  const nexus = openUnit();
  assertHex((await run(nexus, cdb("1a 00 08 00 ff"))).data, `1f 00 10 08 ${BLOCKS} ${CACHING}`);
  assertHex((await run(nexus, cdb("1a 00 0a 00 ff"))).data, `17 00 10 08 ${BLOCKS} ${CONTROL}`);
  assertHex(
    (await run(nexus, cdb("1a 00 1c 00 ff"))).data,
    `17 00 10 08 ${BLOCKS} ${INFORMATIONAL_EXCEPTIONS}`,
  );
});

Deno.test("MODE SENSE(10) gives the same with longer fields", async () => {
  const nexus = openUnit();
  const allPages = await run(nexus, cdb("5a 00 3f 00 00 00 00 00 ff"));
  assertHex(allPages.data, `00 3a 00 10 00 00 00 08 ${BLOCKS} ${ALL}`);
});

Deno.test("MODE SENSE gives all pages, with and without their subpages, of which there are none", async () => {
  const nexus = openUnit();
  const header = `37 00 10 08 ${BLOCKS}`;
  for (const subpage of ["00", "ff"]) {
    assertHex((await run(nexus, cdb(`1a 00 3f ${subpage} ff`))).data, `${header} ${ALL}`);
    assertHex((await run(nexus, cdb(`1a 08 0a ${subpage} ff`))).data, `0f 00 10 00 ${CONTROL}`);
  }
  assertFieldRefused(await run(nexus, cdb("1a 00 3f 01 ff")), 3);
  assertFieldRefused(await run(nexus, cdb("5a 00 0a 01 00 00 00 00 ff")), 3);
});

Deno.test("MODE SENSE leaves the block descriptor out with DBD", async () => {
  const nexus = openUnit();
  assertHex((await run(nexus, cdb("1a 08 08 00 ff"))).data, `17 00 10 00 ${CACHING}`);
  for (const flags of ["08", "18"]) {
    const { data } = await run(nexus, cdb(`5a ${flags} 08 00 00 00 00 00 ff`));
    assertHex(data, `00 1a 00 10 00 00 00 00 ${CACHING}`);
  }
});

Deno.test("MODE SENSE(10) gives a long block descriptor with LLBAA", async () => {
  const nexus = openUnit({ store: new MemoryStore({ sizeBytes: 2 ** 44 }) });
  assertHex(
    (await run(nexus, cdb("5a 10 0a 00 00 00 00 00 ff"))).data,
    `00 22 00 10 01 00 00 10  00 00 00 08 00 00 00 00 00 00 00 00 00 00 02 00 ${CONTROL}`,
  );
});

Deno.test("MODE SENSE says of too many blocks that they are too many for a short descriptor", async () => {
  const nexus = openUnit({ store: new MemoryStore({ sizeBytes: 2 ** 44 }) });
  for (const block of [cdb("1a 00 0a 00 0c"), cdb("5a 00 0a 00 00 00 00 00 10")]) {
    assertHex((await run(nexus, block)).data.slice(-8), "ff ff ff ff 00 00 02 00");
  }
});

Deno.test("MODE SENSE gives defaults that are the current values, and a mask that changes nothing", async () => {
  const nexus = openUnit();
  assertHex((await run(nexus, cdb("1a 08 bf 00 ff"))).data, `2f 00 10 00 ${ALL}`);
  const mask = `08 12 ${"00 ".repeat(18)} 0a 0a ${"00 ".repeat(10)} 1c 0a ${"00 ".repeat(10)}`;
  assertHex((await run(nexus, cdb("1a 08 7f 00 ff"))).data, `2f 00 10 00 ${mask}`);
});

Deno.test("MODE SENSE refuses saved values and pages that there are not", async () => {
  const nexus = openUnit();
  assertEquals((await run(nexus, cdb("1a 00 c8 00 ff"))).outcome, "savingParametersNotSupported");
  assertEquals((await run(nexus, cdb("5a 00 ff 00 00 00 00 00 ff"))).outcome, "savingParametersNotSupported");
  for (let code = 0; code < 0x3f; code++) {
    const block = cdb("1a 00 00 00 ff");
    block[2] = code;
    const result = await run(nexus, block);
    if ([0x08, 0x0a, 0x1c].includes(code)) assertEquals(result.outcome, "good");
    else assertFieldRefused(result, 2, 5);
  }
});

Deno.test("MODE SENSE tells of write protection", async () => {
  const nexus = openUnit({ readOnly: true });
  assertEquals((await run(nexus, cdb("1a 00 08 00 ff"))).data[2], 0x90);
  assertEquals((await run(nexus, cdb("5a 00 08 00 00 00 00 00 ff"))).data[3], 0x90);
});

Deno.test("MODE SENSE states its whole length, whatever is allocated", async () => {
  const nexus = openUnit();
  assertHex((await run(nexus, cdb("1a 00 3f 00 04"))).data, "37 00 10 08");
  assertHex((await run(nexus, cdb("5a 00 3f 00 00 00 00 00 02"))).data, "00 3a");
  assertEquals((await run(nexus, cdb("1a 00 3f 00 ff"))).data.length, bytes(ALL).length + 12);
});
