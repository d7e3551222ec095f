import { assertEquals } from "@std/assert";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import type { TargetDevice } from "../../../lib/scsi/target_device.ts";
import { assertFieldRefused, cdb, makeTarget, makeUnit, run } from "../fixture.ts";
import { reserveOut } from "../reservations/_reserve_out.ts";

const RESERVE = { "(6)": "16", "(10)": "56" };
const RELEASE = { "(6)": "17", "(10)": "57" };
const READ = cdb("28 00 00 00 00 00 00 00 01");

function open(target: TargetDevice, name: string): Nexus {
  const nexus = target.openNexus(`iqn.2007-01.tld.a:${name},i,0x400001370000`);
  nexus.execute(0, cdb("03 00 00 00 12 00"));
  return nexus;
}

async function outcomeOf(nexus: Nexus, hex: string): Promise<string> {
  return (await run(nexus, cdb(hex))).outcome;
}

for (const form of ["(6)", "(10)"] as const) {
  Deno.test(`RESERVE${form} keeps others out until RELEASE${form} by its holder`, async () => {
    const target = makeTarget(makeUnit());
    const [anna, ben] = [open(target, "anna"), open(target, "ben")];
    assertEquals(await outcomeOf(anna, RESERVE[form]), "good");
    assertEquals(await outcomeOf(anna, RESERVE[form]), "good", "again is no error");
    assertEquals((await run(anna, READ)).outcome, "good");
    assertEquals((await run(ben, READ)).outcome, "18");
    assertEquals(await outcomeOf(ben, RESERVE[form]), "18");
    assertEquals(await outcomeOf(ben, RELEASE[form]), "good", "what is not his is not released");
    assertEquals((await run(ben, READ)).outcome, "18");
    assertEquals(await outcomeOf(anna, RELEASE[form]), "good");
    assertEquals((await run(ben, READ)).outcome, "good");
    assertEquals(await outcomeOf(ben, RESERVE[form]), "good");
  });

  Deno.test(`RESERVE${form} and RELEASE${form} are for the whole unit and the nexus of the command`, async () => {
    const nexus = open(makeTarget(makeUnit()), "anna");
    for (const opcode of [RESERVE[form], RELEASE[form]]) {
      assertFieldRefused(await run(nexus, cdb(`${opcode} 10`)), 1, 4);
      assertFieldRefused(await run(nexus, cdb(`${opcode} 01`)), 1, 0);
    }
  });
}

Deno.test("RESERVE takes no parameter list", async () => {
  const nexus = open(makeTarget(makeUnit()), "anna");
  assertFieldRefused(await run(nexus, cdb("16 00 00 00 01")), 4, 0);
  assertFieldRefused(await run(nexus, cdb("56 00 00 00 00 00 00 00 01")), 8, 0);
  assertFieldRefused(await run(nexus, cdb("57 00 00 00 00 00 00 00 01")), 8, 0);
  assertFieldRefused(await run(nexus, cdb("56 02")), 1, 1);
});

Deno.test("a reset and the loss of its nexus end a reservation by RESERVE", async () => {
  const endings: readonly ((anna: Nexus, ben: Nexus) => void)[] = [
    (anna) => anna.close(),
    (anna) => anna.manage("nexusReset", undefined),
    (_anna, ben) => ben.manage("logicalUnitReset", 0),
    (_anna, ben) => ben.manage("targetWarmReset", 0),
    (_anna, ben) => ben.manage("targetColdReset", 0),
  ];
  for (const end of endings) {
    const target = makeTarget(makeUnit());
    const [anna, ben] = [open(target, "anna"), open(target, "ben")];
    await outcomeOf(anna, RESERVE["(6)"]);
    ben.manage("nexusReset", undefined);
    ben.execute(0, cdb("03 00 00 00 12 00"));
    assertEquals((await run(ben, READ)).outcome, "18", "the loss of another nexus changes nothing");
    end(anna, ben);
    ben.execute(0, cdb("03 00 00 00 12 00"));
    assertEquals((await run(ben, READ)).outcome, "good");
  }
});

Deno.test("while RESERVE holds, PERSISTENT RESERVE IN and OUT conflict for every nexus (SPC-2, 5.5.1)", async () => {
  const target = makeTarget(makeUnit());
  const [anna, ben] = [open(target, "anna"), open(target, "ben")];
  await outcomeOf(anna, RESERVE["(6)"]);
  for (const nexus of [anna, ben]) {
    for (const serviceAction of ["00", "01", "02", "03"]) {
      assertEquals(await outcomeOf(nexus, `5e ${serviceAction} 00 00 00 00 00 00 ff`), "18");
    }
    assertEquals(reserveOut(nexus, "REGISTER", { newKey: 1n }), "18");
    assertEquals(reserveOut(nexus, "REGISTER AND IGNORE EXISTING KEY", { newKey: 1n }), "18");
    assertEquals(reserveOut(nexus, "RESERVE", { type: 99 & 0xf }), "18");
  }
});

Deno.test("RESERVE and RELEASE do nothing for an admitted nexus, and otherwise conflict (SPC-4, 5.13.3)", async () => {
  const target = makeTarget(makeUnit());
  const [anna, ben, carl] = [open(target, "anna"), open(target, "ben"), open(target, "carl")];
  const register = "REGISTER AND IGNORE EXISTING KEY";
  reserveOut(anna, register, { newKey: 1n });
  reserveOut(ben, register, { newKey: 2n });
  const outcomes = async (): Promise<string[]> => {
    const all: string[] = [];
    for (const nexus of [anna, ben, carl]) {
      for (const hex of ["16", "17", "56", "57"]) all.push(await outcomeOf(nexus, hex));
    }
    return all.filter((_, index) => index % 4 === 0 || all[index] !== all[index - index % 4]);
  };
  assertEquals(await outcomes(), ["18", "18", "18"], "registrations, but no reservation");
  for (
    const [type, expected] of [[1, "18"], [3, "18"], [5, "good"], [6, "good"], [7, "good"], [
      8,
      "good",
    ]] as const
  ) {
    reserveOut(anna, "RESERVE", { key: 1n, type });
    assertEquals(await outcomes(), ["good", expected, "18"], `type ${type}`);
    assertEquals(
      reserveOut(anna, "RELEASE", { key: 1n, type }),
      "good",
      "and nothing was released or reserved",
    );
    ben.execute(0, cdb("03 00 00 00 12 00"));
  }
});
