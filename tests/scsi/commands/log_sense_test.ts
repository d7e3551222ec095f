import { assertEquals } from "@std/assert";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { assertFieldRefused, assertHex, blocksCdb, cdb, openUnit, pattern, run } from "../fixture.ts";

const NOTHING = "00 05 20 08 00 00 00 00 00 00 00 00 00 06 20 08 00 00 00 00 00 00 00 00";

Deno.test("LOG SENSE lists pages and subpages", async () => {
  const nexus = openUnit();
  assertHex((await run(nexus, cdb("4d 00 40 00 00 00 00 00 ff"))).data, "00 00 00 05 00 02 03 05 2f");
  assertHex(
    (await run(nexus, cdb("4d 00 40 ff 00 00 00 00 ff"))).data,
    "40 ff 00 14 00 00 00 ff 02 00 02 ff 03 00 03 ff 05 00 05 ff 2f 00 2f ff",
  );
  assertHex((await run(nexus, cdb("4d 00 43 ff 00 00 00 00 ff"))).data, "43 ff 00 04 03 00 03 ff");
});

Deno.test("LOG SENSE counts written, read and verified bytes, each on its page", async () => {
  const nexus = openUnit();
  for (const page of ["2", "3", "5"]) {
    const { data } = await run(nexus, cdb(`4d 00 4${page} 00 00 00 00 00 ff`));
    assertHex(data, `8${page} 00 00 18 ${NOTHING}`);
  }
  await run(nexus, blocksCdb("WRITE(10)", { blocks: 3 }), { dataOut: pattern(1536) });
  await run(nexus, blocksCdb("READ(10)", { blocks: 2 }));
  await run(nexus, blocksCdb("VERIFY(10)", { blocks: 8 }));
  const bytesOf = async (page: string): Promise<string> =>
    (await run(nexus, cdb(`4d 00 ${page} 00 00 00 00 00 10`))).data.subarray(8).toHex();
  assertEquals(await bytesOf("42"), "0000000000000600");
  assertEquals(await bytesOf("43"), "0000000000000400");
  assertEquals(await bytesOf("45"), "0000000000001000");
});

Deno.test("LOG SENSE counts failures of the medium, and no bytes for them", async () => {
  const store = new FaultyStore(new MemoryStore({ sizeBytes: 1024 * 1024 }));
  const nexus = openUnit({ store });
  store.inject({ operation: "read", kind: "readFailed" });
  await run(nexus, blocksCdb("READ(10)", {}));
  assertHex(
    (await run(nexus, cdb("4d 00 43 00 00 00 00 00 ff"))).data,
    "83 00 00 18 00 05 20 08 00 00 00 00 00 00 00 00 00 06 20 08 00 00 00 00 00 00 00 01",
  );
});

Deno.test("LOG SENSE starts at the parameter pointer", async () => {
  const nexus = openUnit();
  const { data } = await run(nexus, cdb("4d 00 43 00 00 00 06 00 ff"));
  assertHex(data, "83 00 00 0c 00 06 20 08 00 00 00 00 00 00 00 00");
  assertFieldRefused(await run(nexus, cdb("4d 00 43 00 00 00 07 00 ff")), 5);
  assertFieldRefused(await run(nexus, cdb("4d 00 40 00 00 00 01 00 ff")), 5);
});

Deno.test("LOG SENSE reports no informational exception", async () => {
  const { data } = await run(openUnit(), cdb("4d 00 6f 00 00 00 00 00 ff"));
  assertHex(data, "af 00 00 08 00 00 23 04 00 00 ff 00");
});

Deno.test("LOG SENSE reports the whole length, whatever the allocation length", async () => {
  assertHex((await run(openUnit(), cdb("4d 00 43 00 00 00 00 00 04"))).data, "83 00 00 18");
});

Deno.test("LOG SENSE refuses pages, subpages, thresholds and saving that are not supported", async () => {
  const nexus = openUnit();
  assertFieldRefused(await run(nexus, cdb("4d 01 43 00 00 00 00 00 ff")), 1, 0);
  assertFieldRefused(await run(nexus, cdb("4d 00 44 00 00 00 00 00 ff")), 2, 5);
  assertFieldRefused(await run(nexus, cdb("4d 00 44 ff 00 00 00 00 ff")), 2, 5);
  assertFieldRefused(await run(nexus, cdb("4d 00 43 01 00 00 00 00 ff")), 3);
  assertFieldRefused(await run(nexus, cdb("4d 00 40 01 00 00 00 00 ff")), 3);
  for (const pageControl of ["03", "83", "c3"]) {
    assertFieldRefused(await run(nexus, cdb(`4d 00 ${pageControl} 00 00 00 00 00 ff`)), 2, 7);
  }
});
