import { assertHex, cdb, complete, makeTarget, makeUnit, openUnit, run } from "../fixture.ts";

const FIXED = cdb("03 00 00 00 fc");
const DESCRIPTOR = cdb("03 01 00 00 fc");

Deno.test("REQUEST SENSE reports that there is nothing to report", async () => {
  const nexus = openUnit();
  assertHex((await run(nexus, FIXED)).data, "70 00 00 00 00 00 00 0a 00 00 00 00 00 00 00 00 00 00");
  assertHex((await run(nexus, DESCRIPTOR)).data, "72 00 00 00 00 00 00 00");
});

Deno.test("REQUEST SENSE reports and clears unit attentions in either format", async () => {
  const target = makeTarget(makeUnit());
  const [one, two] = [target.openNexus("one"), target.openNexus("two")];
  one.manage("logicalUnitReset", 0);
  assertHex((await run(one, FIXED)).data, "70 00 06 00 00 00 00 0a 00 00 00 00 29 00 00 00 00 00");
  assertHex((await run(one, DESCRIPTOR)).data, "72 06 29 03 00 00 00 00");
  assertHex((await run(one, DESCRIPTOR)).data, "72 00 00 00 00 00 00 00");
  assertHex((await run(two, DESCRIPTOR)).data, "72 06 29 00 00 00 00 00");
});

Deno.test("REQUEST SENSE reports a stopped unit, as often as it is asked", async () => {
  const nexus = openUnit();
  await run(nexus, cdb("1b"));
  for (let times = 0; times < 2; times++) {
    assertHex((await run(nexus, DESCRIPTOR)).data, "72 02 04 02 00 00 00 00");
  }
});

Deno.test("REQUEST SENSE is cut at the allocation length", async () => {
  assertHex((await run(openUnit(), cdb("03 00 00 00 08"))).data, "70 00 00 00 00 00 00 0a");
});

Deno.test("REQUEST SENSE where there is no unit reports that", async () => {
  const nexus = openUnit();
  assertHex(
    (await complete(nexus.execute(9, FIXED))).data,
    "70 00 05 00 00 00 00 0a 00 00 00 00 25 00 00 00 00 00",
  );
  assertHex((await complete(nexus.execute(9, DESCRIPTOR))).data, "72 05 25 00 00 00 00 00");
});
