import { assertEquals, assertStrictEquals } from "@std/assert";
import { ACCESS } from "../../../lib/scsi/dispatch/access.ts";
import { COMMANDS } from "../../../lib/scsi/dispatch/command_table.ts";
import type { Command } from "../../../lib/scsi/dispatch/command.ts";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { assertFieldRefused, cdb, complete, openUnit, type Result, run } from "../fixture.ts";

const ROWS = Object.entries(COMMANDS);

/** The simplest CDB of a row. */
function plainCdb({ opcode, serviceAction = 0 }: Command): Uint8Array {
  const block = new Uint8Array(16);
  block[0] = opcode;
  block[1] = serviceAction;
  return block;
}

Deno.test("every command refuses NACA, and points at it", async () => {
  const nexus = openUnit();
  for (const [, row] of ROWS) {
    const block = plainCdb(row);
    block[row.usage.length - 1] = 0x04;
    assertFieldRefused(await run(nexus, block), row.usage.length - 1, 2);
  }
});

Deno.test("commands that need no logical unit refuse NACA without one too", async () => {
  const nexus = openUnit();
  for (const [, row] of ROWS.filter(([, { executeWithoutLogicalUnit }]) => executeWithoutLogicalUnit)) {
    const block = plainCdb(row);
    block[row.usage.length - 1] = 0x04;
    assertFieldRefused(await complete(nexus.execute(9, block)), row.usage.length - 1, 2);
  }
});

Deno.test("only INQUIRY, REPORT LUNS and REQUEST SENSE work without a logical unit", () => {
  assertEquals(ROWS.filter(([, row]) => row.executeWithoutLogicalUnit).map(([name]) => name), [
    "REQUEST SENSE",
    "INQUIRY",
    "REPORT LUNS",
  ]);
});

Deno.test("unknown operation codes are refused, and unknown service actions of known ones", async () => {
  const nexus = openUnit();
  const known = new Set(ROWS.map(([, { opcode }]) => opcode));
  for (let opcode = 0; opcode < 0x100; opcode++) {
    if (known.has(opcode)) continue;
    assertEquals(
      (await run(nexus, Uint8Array.of(opcode, ...new Uint8Array(15)))).outcome,
      "invalidCommandOperationCode",
    );
  }
  for (
    const opcode of new Set(
      ROWS.filter(([, row]) => row.serviceAction !== undefined).map(([, row]) => row.opcode),
    )
  ) {
    for (let serviceAction = 0; serviceAction < 0x20; serviceAction++) {
      const isKnown = ROWS.some(([, row]) => row.opcode === opcode && row.serviceAction === serviceAction);
      const result = await run(nexus, Uint8Array.of(opcode, serviceAction, ...new Uint8Array(14)));
      if (!isKnown) assertFieldRefused(result, 1, 4);
    }
  }
});

/** Returns the outcome of each command. */
async function outcomesOf(nexus: Nexus): Promise<Map<string, Result>> {
  const outcomes = new Map<string, Result>();
  for (const [name, row] of ROWS) {
    if (name !== "START STOP UNIT") outcomes.set(name, await run(nexus, plainCdb(row)));
  }
  return outcomes;
}

Deno.test("a write protected unit refuses every command that writes, and no other", async () => {
  for (
    const options of [
      { readOnly: true },
      { store: new MemoryStore({ sizeBytes: 1024 * 1024, readOnly: true }) },
    ]
  ) {
    for (const [name, { outcome }] of await outcomesOf(openUnit(options))) {
      assertEquals(outcome === "writeProtected", COMMANDS[name]!.access === "writes", name);
    }
  }
});

Deno.test("a stopped unit refuses every command that accesses the medium, and TEST UNIT READY", async () => {
  const nexus = openUnit();
  await run(nexus, cdb("1b 00 00 00 00 00"));
  for (const [name, { outcome }] of await outcomesOf(nexus)) {
    const needsMedium = name === "TEST UNIT READY" || ACCESS[COMMANDS[name]!.access].needsMedium;
    assertEquals(outcome === "initializingCommandRequired", needsMedium, name);
  }
});

Deno.test("a stopped and write-protected unit reports first that it is not ready", async () => {
  const nexus = openUnit({ readOnly: true });
  await run(nexus, cdb("1b 00 00 00 00 00"));
  assertEquals((await run(nexus, cdb("2a 00 00 00 00 00 00 00 01"))).outcome, "initializingCommandRequired");
});

Deno.test("GOOD is always the same object, by which a transport recognizes it", () => {
  const nexus = openUnit();
  assertStrictEquals(nexus.execute(0, cdb("00")), nexus.execute(0, cdb("00")));
});
