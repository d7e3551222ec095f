import { assertEquals } from "@std/assert";
import { MemoryStore } from "../../support/memory_store.ts";
import { assertFieldRefused, assertHex, bytes, cdb, openUnit, run } from "../fixture.ts";

const CACHING = "08 12 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00";
const CONTROL = "0a 0a 00 10 00 00 00 00 ff ff 00 00";
const CONTROL_EXTENSION = `4a 01 00 1c ${"00 ".repeat(0x1c)}`;
const POWER_CONDITION = `1a 26 ${"00 ".repeat(0x26)}`;
const INFORMATIONAL_EXCEPTIONS = "1c 0a 08 00 00 00 00 00 00 00 00 00";
/** A threshold of 4 GiB, in sets of 1 MiB. */
const PROVISIONING = `5c 02 00 14 ${"00 ".repeat(12)} 80 01 00 00 00 00 10 00`;
const ERROR_RECOVERY = "01 0a c0 00 00 00 00 80 00 00 00 00";
const PAGES = `${ERROR_RECOVERY} ${CACHING} ${CONTROL} ${POWER_CONDITION} ${INFORMATIONAL_EXCEPTIONS}`;
const SUBPAGES = [
  ERROR_RECOVERY,
  CACHING,
  CONTROL,
  CONTROL_EXTENSION,
  POWER_CONDITION,
  INFORMATIONAL_EXCEPTIONS,
  PROVISIONING,
].join(" ");
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
  assertHex(allPages.data, `00 6e 00 10 00 00 00 08 ${BLOCKS} ${PAGES}`);
});

Deno.test("MODE SENSE gives all pages, with and without their subpages", async () => {
  const nexus = openUnit();
  assertHex((await run(nexus, cdb("1a 00 3f 00 ff"))).data, `6b 00 10 08 ${BLOCKS} ${PAGES}`);
  assertHex((await run(nexus, cdb("1a 00 3f ff ff"))).data, `a3 00 10 08 ${BLOCKS} ${SUBPAGES}`);
  assertHex((await run(nexus, cdb("1a 08 0a 00 ff"))).data, `0f 00 10 00 ${CONTROL}`);
  assertHex((await run(nexus, cdb("1a 08 0a 01 ff"))).data, `23 00 10 00 ${CONTROL_EXTENSION}`);
  assertHex((await run(nexus, cdb("1a 08 0a ff ff"))).data, `2f 00 10 00 ${CONTROL} ${CONTROL_EXTENSION}`);
  assertFieldRefused(await run(nexus, cdb("1a 00 08 01 ff")), 3);
  assertFieldRefused(await run(nexus, cdb("5a 00 0a 02 00 00 00 00 ff")), 3);
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

Deno.test("MODE SENSE reports FFFFFFFFh for more blocks than a short descriptor can count", async () => {
  const nexus = openUnit({ store: new MemoryStore({ sizeBytes: 2 ** 44 }) });
  for (const block of [cdb("1a 00 0a 00 0c"), cdb("5a 00 0a 00 00 00 00 00 10")]) {
    assertHex((await run(nexus, block)).data.slice(-8), "ff ff ff ff 00 00 02 00");
  }
});

Deno.test("MODE SENSE gives defaults, and the bits that can be changed", async () => {
  const nexus = openUnit();
  assertHex((await run(nexus, cdb("1a 08 bf ff ff"))).data, `9b 00 10 00 ${SUBPAGES}`);
  assertHex(
    (await run(nexus, cdb("1a 08 4a 00 ff"))).data,
    "0f 00 10 00 0a 0a e4 00 08 00 00 00 00 00 00 00",
  );
  assertHex((await run(nexus, cdb("1a 08 48 00 ff"))).data, `17 00 10 00 08 12 ${"00 ".repeat(18)}`);
  assertHex((await run(nexus, cdb("1a 08 5c 00 ff"))).data, `0f 00 10 00 1c 0a ${"00 ".repeat(10)}`);
});

Deno.test("MODE SENSE refuses saved values and unknown pages", async () => {
  const nexus = openUnit();
  assertEquals((await run(nexus, cdb("1a 00 c8 00 ff"))).outcome, "savingParametersNotSupported");
  assertEquals((await run(nexus, cdb("5a 00 ff 00 00 00 00 00 ff"))).outcome, "savingParametersNotSupported");
  for (let code = 0; code < 0x3f; code++) {
    const block = cdb("1a 00 00 00 ff");
    block[2] = code;
    const result = await run(nexus, block);
    if ([0x01, 0x08, 0x0a, 0x1a, 0x1c].includes(code)) assertEquals(result.outcome, "good");
    else assertFieldRefused(result, 2, 5);
  }
});

Deno.test("MODE SENSE reports write protection", async () => {
  const nexus = openUnit({ readOnly: true });
  assertEquals((await run(nexus, cdb("1a 00 08 00 ff"))).data[2], 0x90);
  assertEquals((await run(nexus, cdb("5a 00 08 00 00 00 00 00 ff"))).data[3], 0x90);
});

Deno.test("MODE SENSE reports its whole length, whatever the allocation length", async () => {
  const nexus = openUnit();
  assertHex((await run(nexus, cdb("1a 00 3f 00 04"))).data, "6b 00 10 08");
  assertHex((await run(nexus, cdb("5a 00 3f 00 00 00 00 00 02"))).data, "00 6e");
  assertEquals((await run(nexus, cdb("1a 00 3f 00 ff"))).data.length, bytes(PAGES).length + 12);
});
