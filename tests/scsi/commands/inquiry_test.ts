import { assertEquals } from "@std/assert";
import { assertFieldRefused, assertHex, cdb, complete, openUnit, run } from "../fixture.ts";

Deno.test("INQUIRY gives standard data", async () => {
  const { data } = await run(openUnit(), cdb("12 00 00 01 04"));
  assertHex(
    data,
    `
    00 00 06 02 5b 18 00 02 4e 45 54 4d 47 52 20 20
    49 53 43 53 49 20 44 49 53 4b 20 20 20 20 20 20
    31 20 20 20 00 00 00 00 00 00 00 00 00 00 00 00
    00 00 00 00 00 00 00 00 00 00 00 a0 09 61 04 60
    04 c0 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    `,
  );
});

Deno.test("INQUIRY gives the texts of the unit", async () => {
  const nexus = openUnit({ vendor: "LIO-ORG", product: "0123456789ABCDEF", revision: "4.0" });
  const { data } = await run(nexus, cdb("12 00 00 00 24"));
  assertEquals(new TextDecoder().decode(data.subarray(8)), "LIO-ORG 0123456789ABCDEF4.0 ");
});

Deno.test("INQUIRY is cut at any allocation length", async () => {
  const nexus = openUnit();
  const { data: whole } = await run(nexus, cdb("12 00 00 00 ff"));
  for (let allocationLength = 0; allocationLength < 256; allocationLength++) {
    const { outcome, data } = await run(
      nexus,
      Uint8Array.of(0x12, 0, 0, 0, allocationLength, ...new Uint8Array(11)),
    );
    assertEquals([outcome, data], ["good", whole.subarray(0, allocationLength)]);
  }
});

Deno.test("INQUIRY refuses a page code without EVPD, and CMDDT", async () => {
  const nexus = openUnit();
  assertFieldRefused(await run(nexus, cdb("12 00 01 00 ff")), 2);
  assertFieldRefused(await run(nexus, cdb("12 02 00 00 ff")), 1, 1);
  assertFieldRefused(await run(nexus, cdb("12 03 00 00 ff")), 1, 1);
});

Deno.test("INQUIRY where there is no unit reports this, and has no pages", async () => {
  const nexus = openUnit();
  const { data } = await complete(nexus.execute(5, cdb("12 00 00 00 ff")));
  assertEquals(data.length, 96);
  assertHex(data.subarray(0, 16), "7f 00 06 02 5b 00 00 02 20 20 20 20 20 20 20 20");
  assertFieldRefused(await complete(nexus.execute(5, cdb("12 01 00 00 ff"))), 1, 0);
  assertFieldRefused(await complete(nexus.execute(5, cdb("12 02 00 00 ff"))), 1, 1);
  assertFieldRefused(await complete(nexus.execute(5, cdb("12 00 80 00 ff"))), 2);
});

Deno.test("INQUIRY reports whether the medium is removable", async () => {
  for (const removable of [false, true]) {
    const { data } = await run(openUnit({ removable }), cdb("12 00 00 00 60"));
    assertEquals(data[1], removable ? 0x80 : 0x00);
  }
});
