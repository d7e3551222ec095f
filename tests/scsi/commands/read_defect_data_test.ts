import { assertFieldRefused, assertHex, cdb, openUnit, run } from "../fixture.ts";

Deno.test("READ DEFECT DATA gives empty lists, those that were asked for, in any format", async () => {
  const nexus = openUnit();
  assertHex((await run(nexus, cdb("37 00 00 00 00 00 00 00 20"))).data, "00 00 00 00");
  assertHex((await run(nexus, cdb("37 00 1d 00 00 00 00 00 20"))).data, "00 1d 00 00");
  assertHex((await run(nexus, cdb("37 00 08 00 00 00 00 00 03"))).data, "00 08 00");
  assertHex((await run(nexus, cdb("b7 00 00 00 00 00 00 00 00 20"))).data, "00 00 00 00 00 00 00 00");
  assertHex((await run(nexus, cdb("b7 13 00 00 00 09 00 00 00 20"))).data, "00 13 00 00 00 00 00 00");
  assertHex((await run(nexus, cdb("b7 0b 00 00 00 00 00 00 00 02"))).data, "00 0b");
});

Deno.test("READ DEFECT DATA refuses undefined formats", async () => {
  const nexus = openUnit();
  for (const format of ["06", "07", "1f"]) {
    assertFieldRefused(await run(nexus, cdb(`37 00 ${format} 00 00 00 00 00 20`)), 2, 2);
    assertFieldRefused(await run(nexus, cdb(`b7 ${format} 00 00 00 00 00 00 00 20`)), 1, 2);
  }
});
