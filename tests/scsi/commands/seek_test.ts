import { assertEquals } from "@std/assert";
import { blocksCdb, cdb, openUnit, run } from "../fixture.ts";

/** Blocks of the default unit. */
const BLOCKS = 2048;

Deno.test("SEEK accepts every address of the medium, and refuses others", async () => {
  const nexus = openUnit();
  for (const name of ["SEEK(6)", "SEEK(10)"]) {
    for (const lba of [0, 1, BLOCKS - 1]) {
      assertEquals((await run(nexus, blocksCdb(name, { lba, blocks: 0 }))).outcome, "good");
    }
    for (const lba of [BLOCKS, 0x1f_ffff]) {
      const { outcome } = await run(nexus, blocksCdb(name, { lba, blocks: 0 }));
      assertEquals(outcome, "logicalBlockAddressOutOfRange");
    }
  }
});

Deno.test("REZERO UNIT and SEEK need a medium that is ready", async () => {
  const nexus = openUnit();
  const names = ["01", "0b", "2b"];
  for (const block of names) assertEquals((await run(nexus, cdb(block))).outcome, "good");
  await run(nexus, cdb("1b"));
  for (const block of names) {
    assertEquals((await run(nexus, cdb(block))).outcome, "initializingCommandRequired");
  }
});
