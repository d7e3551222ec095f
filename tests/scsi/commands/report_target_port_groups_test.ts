import { assertFieldRefused, assertHex, cdb, openUnit, run } from "../fixture.ts";

Deno.test("REPORT TARGET PORT GROUPS gives one group, active and optimized, with one port", async () => {
  const nexus = openUnit();
  const group = "00 01 00 01 00 00 00 01 00 00 00 01";
  assertHex((await run(nexus, cdb("a3 0a 00 00 00 00 00 00 00 ff"))).data, `00 00 00 0c ${group}`);
  assertHex(
    (await run(nexus, cdb("a3 2a 00 00 00 00 00 00 00 ff"))).data,
    `00 00 00 10 10 00 00 00 ${group}`,
  );
  assertHex((await run(nexus, cdb("a3 0a 00 00 00 00 00 00 00 04"))).data, "00 00 00 0c");
  assertFieldRefused(await run(nexus, cdb("a3 4a 00 00 00 00 00 00 00 ff")), 1, 7);
});
