import { assertEquals } from "@std/assert";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import { assertFieldRefused, cdb, makeTarget, makeUnit, openReadyNexus, openUnit, run } from "../fixture.ts";

const ALLOW = cdb("1e 00 00 00 00");
const PREVENT = cdb("1e 00 00 00 01");
const EJECT = cdb("1b 00 00 00 02");
const LOAD = cdb("1b 00 00 00 03");

async function outcomes(nexus: Nexus, ...blocks: readonly Uint8Array[]): Promise<string[]> {
  const all: string[] = [];
  for (const block of blocks) all.push((await run(nexus, block)).outcome);
  return all;
}

Deno.test("PREVENT ALLOW MEDIUM REMOVAL prevents ejecting and loading", async () => {
  const nexus = openUnit({ removable: true });
  assertEquals(await outcomes(nexus, PREVENT, EJECT, cdb("00")), ["good", "mediumRemovalPrevented", "good"]);
  assertEquals(await outcomes(nexus, LOAD, ALLOW, EJECT, PREVENT), ["good", "good", "good", "good"]);
  assertEquals(await outcomes(nexus, EJECT, LOAD), ["good", "mediumRemovalPrevented"]);
  assertEquals(await outcomes(nexus, ALLOW, LOAD, cdb("00")), ["good", "good", "good"]);
});

Deno.test("PREVENT ALLOW MEDIUM REMOVAL lasts until every nexus has allowed removal or ended", async () => {
  const target = makeTarget(makeUnit({ removable: true }));
  const [first, second, third] = [openReadyNexus(target), openReadyNexus(target), openReadyNexus(target)];
  await outcomes(first, PREVENT, PREVENT);
  await outcomes(second, PREVENT);
  await outcomes(first, ALLOW);
  assertEquals(await outcomes(third, ALLOW, EJECT), ["good", "mediumRemovalPrevented"]);
  second.close();
  assertEquals(await outcomes(third, EJECT), ["good"]);
});

Deno.test("every reset ends the prevention of removal", async () => {
  for (const reset of ["logicalUnitReset", "targetWarmReset", "targetColdReset"] as const) {
    const nexus = openUnit({ removable: true });
    await outcomes(nexus, PREVENT);
    nexus.manage(reset, 0);
    await outcomes(nexus, cdb("03 00 00 00 12"));
    assertEquals(await outcomes(nexus, EJECT), ["good"], reset);
  }
});

Deno.test("PREVENT ALLOW MEDIUM REMOVAL is accepted by a disk whose medium is not removable", async () => {
  const nexus = openUnit();
  assertEquals(await outcomes(nexus, PREVENT, ALLOW), ["good", "good"]);
  assertFieldRefused(await run(nexus, cdb("1e 00 00 00 02")), 4, 1);
  assertFieldRefused(await run(nexus, cdb("1e 00 00 00 03")), 4, 1);
});
