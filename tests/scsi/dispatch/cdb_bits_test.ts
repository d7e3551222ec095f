/** Every bit of every CDB is honoured or refused, or is in a short list of bits without effect. */
import { assert, assertEquals } from "@std/assert";
import { IGNORED_FIELDS, refusedBitsOf } from "../../../lib/scsi/dispatch/cdb_bits.ts";
import { COMMANDS, findCommand } from "../../../lib/scsi/dispatch/command_table.ts";
import type { Command } from "../../../lib/scsi/dispatch/command.ts";
import { assertFieldRefused, bytes, cdb, complete, openUnit, run } from "../fixture.ts";
import { flipBit, type Observation, World } from "../_world.ts";

/** A form of a command in which some of its fields have an effect. */
interface Form {
  readonly cdb: string;
  /** The parameter list, or the data to write. */
  readonly dataOut?: string;
  /** Prepares the world. */
  readonly given?: (world: World) => unknown;
}

const BLOCK = "a5 ".repeat(512);
const ZERO_BLOCK = "00 ".repeat(512);
const REGISTER = "5f 00 00 00 00 00 00 00 18";

/** A basic parameter list of PERSISTENT RESERVE OUT, of keys of one digit. */
function keys(key: number, newKey: number): string {
  return `00 00 00 00 00 00 00 0${key} 00 00 00 00 00 00 00 0${newKey} ${"00 ".repeat(8)}`;
}

function registered(world: World): Promise<void> {
  return world.prepare(REGISTER, keys(0, 1));
}

async function reserved(world: World): Promise<void> {
  await registered(world);
  await world.prepare("5f 01 05 00 00 00 00 00 18", keys(1, 0));
}

async function heldByAll(world: World): Promise<void> {
  await registered(world);
  await world.prepare("5f 01 07 00 00 00 00 00 18", keys(1, 0));
}

function written(world: World): Promise<void> {
  return world.prepare("2a 00 00 00 00 01 00 00 01", BLOCK);
}

function failing(world: World): void {
  world.faulty.inject({ operation: "flush", kind: "flushFailed" });
}

/** The parameter list that copies one block from LUN 0 to LUN 1. */
const COPY = "07 00 00 40 00 00 00 00 00 00 00 1c 00 00 00 00 " +
  ["01", "02"].map((id) => `e4 00 00 00 01 03 00 08 30 00 00 00 00 00 00 ${id} ${"00 ".repeat(14)}02 00`)
    .join(" ") +
  " 02 00 00 18 00 00 00 01 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00";

/** A copy to beyond the end, which leaves failure details. */
function copied(world: World): Promise<void> {
  return world.prepare("83 00 00 00 00 00 00 00 00 00 00 00 00 6c", COPY.replace(/00 00$/, "ff ff"));
}

/** A list of MODE SELECT that changes TST of the control page. */
const CONTROL_PAGE = "0a 0a 20 10 00 00 00 00 ff ff 00 00";

const DESTINATION =
  "45 00 00 2c 69 71 6e 2e 32 30 30 37 2d 30 31 2e 74 6c 64 2e 68 6f 73 74 3a 6f 74 68 65 72 2c 69 2c " +
  "30 78 30 30 30 30 30 30 30 30 30 30 30 31 00";

/** The forms of each command. Each bit that is not refused must have an effect in one of them. */
const FORMS: Readonly<Record<string, readonly Form[]>> = {
  "TEST UNIT READY": [{ cdb: "00" }],
  "REZERO UNIT": [{ cdb: "01" }],
  "REQUEST SENSE": [{ cdb: "03 00 00 00 01" }],
  "FORMAT UNIT": [{ cdb: "04" }, { cdb: "04 10", dataOut: "00 00 00 00" }],
  "READ(6)": [{ cdb: "08 00 00 01 01" }],
  "WRITE(6)": [{ cdb: "0a 00 00 01 01", dataOut: BLOCK }],
  "SEEK(6)": [{ cdb: "0b 00 00 01" }],
  "INQUIRY": [{ cdb: "12 00 00 00 04" }, { cdb: "12 01 80 00 04" }],
  "MODE SELECT(6)": [{ cdb: "15 10 00 00 10", dataOut: `00 00 00 00 ${CONTROL_PAGE}` }],
  "RESERVE(6)": [{ cdb: "16" }],
  "RELEASE(6)": [{ cdb: "17", given: (world) => world.prepare("16") }],
  "MODE SENSE(6)": [{
    cdb: "1a 00 0a 00 11",
    given: (world) => world.prepare("15 10 00 00 10", `00 00 00 00 ${CONTROL_PAGE}`),
  }],
  "START STOP UNIT": [{ cdb: "1b", given: written }],
  "SEND DIAGNOSTIC": [{ cdb: "1d 04" }],
  "PREVENT ALLOW MEDIUM REMOVAL": [{ cdb: "1e 00 00 00 01" }],
  "READ CAPACITY(10)": [{ cdb: "25" }],
  "READ(10)": [{ cdb: "28 00 00 00 00 01 00 00 01", given: written }],
  "WRITE(10)": [{ cdb: "2a 00 00 00 00 01 00 00 01", dataOut: BLOCK }],
  "SEEK(10)": [{ cdb: "2b 00 00 00 00 01" }],
  "WRITE AND VERIFY(10)": [{ cdb: "2e 00 00 00 00 01 00 00 01", dataOut: BLOCK }],
  "VERIFY(10)": [{ cdb: "2f 00 00 00 00 01 00 00 01" }],
  "PRE-FETCH(10)": [{ cdb: "34 00 00 00 00 01 00 00 01" }],
  "SYNCHRONIZE CACHE(10)": [{ cdb: "35 00 00 00 00 01 00 00 01" }],
  "READ DEFECT DATA(10)": [{ cdb: "37 00 08 00 00 00 00 00 02" }],
  "WRITE SAME(10)": [{ cdb: "41 00 00 00 00 08 00 00 08", dataOut: ZERO_BLOCK }],
  "UNMAP": [{
    cdb: "42 00 00 00 00 00 00 00 18",
    dataOut: `00 16 00 10 00 00 00 00 ${"00 ".repeat(11)}08 00 00 00 00`,
  }],
  "SANITIZE OVERWRITE": [
    { cdb: "48 01 00 00 00 00 00 00 05", dataOut: "01 00 00 01 aa", given: failing },
  ],
  "SANITIZE BLOCK ERASE": [{ cdb: "48 02", given: failing }],
  "SANITIZE EXIT FAILURE MODE": [{
    cdb: "48 1f",
    given: async (world) => {
      failing(world);
      await world.prepare("48 22");
    },
  }],
  "LOG SENSE": [{ cdb: "4d 00 42 00 00 00 06 00 04" }],
  "MODE SELECT(10)": [
    { cdb: "55 10 00 00 00 00 00 00 14", dataOut: `00 00 00 00 00 00 00 00 ${CONTROL_PAGE}` },
  ],
  "RESERVE(10)": [{ cdb: "56" }],
  "RELEASE(10)": [{ cdb: "57", given: (world) => world.prepare("56") }],
  "MODE SENSE(10)": [{
    cdb: "5a 00 0a 00 00 00 00 00 14",
    given: (world) => world.prepare("15 10 00 00 10", `00 00 00 00 ${CONTROL_PAGE}`),
  }],
  "PERSISTENT RESERVE IN READ KEYS": [{ cdb: "5e 00 00 00 00 00 00 00 01", given: registered }],
  "PERSISTENT RESERVE IN READ RESERVATION": [{ cdb: "5e 01 00 00 00 00 00 00 01", given: reserved }],
  "PERSISTENT RESERVE IN REPORT CAPABILITIES": [{ cdb: "5e 02 00 00 00 00 00 00 01" }],
  "PERSISTENT RESERVE IN READ FULL STATUS": [{ cdb: "5e 03 00 00 00 00 00 00 01", given: registered }],
  "PERSISTENT RESERVE OUT REGISTER": [{ cdb: REGISTER, dataOut: keys(0, 1) }],
  "PERSISTENT RESERVE OUT RESERVE": [
    { cdb: "5f 01 05 00 00 00 00 00 18", dataOut: keys(1, 0), given: registered },
  ],
  "PERSISTENT RESERVE OUT RELEASE": [
    { cdb: "5f 02 05 00 00 00 00 00 18", dataOut: keys(1, 0), given: reserved },
  ],
  "PERSISTENT RESERVE OUT CLEAR": [{
    cdb: "5f 03 00 00 00 00 00 00 18",
    dataOut: keys(1, 0),
    given: reserved,
  }],
  "PERSISTENT RESERVE OUT PREEMPT": [
    { cdb: "5f 04 05 00 00 00 00 00 18", dataOut: keys(1, 0), given: heldByAll },
  ],
  "PERSISTENT RESERVE OUT PREEMPT AND ABORT": [
    { cdb: "5f 05 05 00 00 00 00 00 18", dataOut: keys(1, 0), given: heldByAll },
  ],
  "PERSISTENT RESERVE OUT REGISTER AND IGNORE EXISTING KEY": [
    { cdb: "5f 06 00 00 00 00 00 00 18", dataOut: keys(0, 1) },
  ],
  "PERSISTENT RESERVE OUT REGISTER AND MOVE": [{
    cdb: "5f 07 00 00 00 00 00 00 48",
    dataOut: `00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02 00 00 00 01 00 00 00 30 ${DESTINATION}`,
    given: reserved,
  }],
  "EXTENDED COPY(LID1)": [{ cdb: "83 00 00 00 00 00 00 00 00 00 00 00 00 6c", dataOut: COPY }],
  "RECEIVE COPY STATUS(LID1)": [{ cdb: "84 00 07 00 00 00 00 00 00 00 00 00 00 01", given: copied }],
  "RECEIVE COPY OPERATING PARAMETERS": [{ cdb: "84 03 00 00 00 00 00 00 00 00 00 00 00 01" }],
  "RECEIVE COPY FAILURE DETAILS(LID1)": [{ cdb: "84 04 07 00 00 00 00 00 00 00 00 00 00 04", given: copied }],
  "READ(16)": [{ cdb: "88 00 00 00 00 00 00 00 00 01 00 00 00 01", given: written }],
  "COMPARE AND WRITE": [{ cdb: "89 00 00 00 00 00 00 00 00 08 00 00 00 01", dataOut: ZERO_BLOCK + BLOCK }],
  "WRITE(16)": [{ cdb: "8a 00 00 00 00 00 00 00 00 01 00 00 00 01", dataOut: BLOCK }],
  "ORWRITE(16)": [{ cdb: "8b 00 00 00 00 00 00 00 00 01 00 00 00 01", dataOut: BLOCK }],
  "WRITE AND VERIFY(16)": [{ cdb: "8e 00 00 00 00 00 00 00 00 01 00 00 00 01", dataOut: BLOCK }],
  "VERIFY(16)": [{ cdb: "8f 00 00 00 00 00 00 00 00 01 00 00 00 01" }],
  "PRE-FETCH(16)": [{ cdb: "90 00 00 00 00 00 00 00 00 01 00 00 00 01" }],
  "SYNCHRONIZE CACHE(16)": [{ cdb: "91 00 00 00 00 00 00 00 00 01 00 00 00 01" }],
  "WRITE SAME(16)": [{ cdb: "93 00 00 00 00 00 00 00 00 08 00 00 00 08", dataOut: ZERO_BLOCK }],
  "WRITE ATOMIC(16)": [{ cdb: "9c 00 00 00 00 00 00 00 00 01 00 00 00 01", dataOut: BLOCK }],
  "READ CAPACITY(16)": [{ cdb: "9e 10 00 00 00 00 00 00 00 00 00 00 00 01" }],
  "GET LBA STATUS": [{ cdb: "9e 12 00 00 00 00 00 00 00 01 00 00 00 09" }, {
    cdb: "9e 12 00 00 00 00 00 00 00 01 00 00 00 18",
  }],
  "REPORT LUNS": [{ cdb: "a0 00 00 00 00 00 00 00 00 10" }],
  "REPORT TARGET PORT GROUPS": [{ cdb: "a3 0a 00 00 00 00 00 00 00 05" }],
  "REPORT SUPPORTED OPERATION CODES": [
    { cdb: "a3 0c 01 28 00 00 00 00 00 08" },
    { cdb: "a3 0c 02 a3 00 0d 00 00 00 08" },
  ],
  "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS": [
    { cdb: "a3 0d 00 00 00 00 00 00 00 04" },
    { cdb: "a3 0d 80 00 00 00 00 00 00 04" },
  ],
  "READ(12)": [{ cdb: "a8 00 00 00 00 01 00 00 00 01", given: written }],
  "WRITE(12)": [{ cdb: "aa 00 00 00 00 01 00 00 00 01", dataOut: BLOCK }],
  "WRITE AND VERIFY(12)": [{ cdb: "ae 00 00 00 00 01 00 00 00 01", dataOut: BLOCK }],
  "VERIFY(12)": [{ cdb: "af 00 00 00 00 01 00 00 00 01" }],
  "READ DEFECT DATA(12)": [{ cdb: "b7 08 00 00 00 00 00 00 00 02" }],
};

/**
 * The outcomes of the forms: GOOD, CONDITION MET of PRE-FETCH, and the failure of SANITIZE, which shows the effect of
 * AUSE.
 */
const TAKEN: readonly string[] = ["good", "4", "sanitizeCommandFailed"];

/** Bits that are in usage data and still have no effect, by command: bytes, bits and the reason. */
const WITHOUT_EFFECT: Readonly<Record<string, readonly (readonly [number, number, number, string])[]>> = {
  "FORMAT UNIT": [[1, 1, 0x08, "CMPLST chooses between two lists of defects, which are empty"]],
  "SEEK(6)": [[1, 3, 0xff, "there is no head to move to a block that exists"]],
  "SEEK(10)": [[2, 5, 0xff, "likewise"]],
  "SYNCHRONIZE CACHE(10)": [
    [2, 5, 0xff, "all written data is flushed, whatever the range"],
    [7, 8, 0xff, "likewise"],
  ],
  "SYNCHRONIZE CACHE(16)": [[2, 13, 0xff, "all written data is flushed, whatever the range"]],
  "READ DEFECT DATA(12)": [[2, 5, 0xff, "a list without descriptors is empty from any index on"]],
  "REPORT LUNS": [[2, 2, 0x02, "there are no well known logical units to add"]],
  "SANITIZE EXIT FAILURE MODE": [[1, 1, 0x20, "it is no operation that could fail"]],
};

/** DPO (DPOFUA allows it) is advice about the cache, and is left to the page cache. */
const DISABLE_PAGE_OUT =
  /^(READ|WRITE|WRITE AND VERIFY|VERIFY|ORWRITE|WRITE ATOMIC)\(1[026]\)$|^COMPARE AND WRITE$/;

/** Reports whether a bit may have no effect. Some values of such a field are still out of range, and refused. */
function mayHaveNoEffect(name: string, byte: number, mask: number): boolean {
  if (byte === 1 && mask === 0x10 && DISABLE_PAGE_OUT.test(name)) return true;
  const entries = WITHOUT_EFFECT[name] ?? [];
  return entries.some(([first, last, bits]) => byte >= first && byte <= last && (bits & mask) !== 0);
}

/** Returns the bits of a row that are neither read nor refused: those of its ignored fields, and SCSI-2's LUN. */
function ignoredMask({ usage, ignores = [], serviceAction }: Command, byte: number): number {
  const fields = ignores.map((name) => IGNORED_FIELDS[name](usage.length)).filter((field) =>
    field.byte === byte
  );
  const isLun = byte === 1 && serviceAction === undefined && usage.length <= 12 && (usage[1]! & 0xe0) === 0;
  return fields.reduce((mask, field) => mask | field.mask, isLun ? 0xe0 : 0);
}

async function observe(form: Form, block: Uint8Array): Promise<Observation> {
  const world = new World();
  await form.given?.(world);
  return await world.observe(block, bytes(form.dataOut ?? ""));
}

Deno.test("every command has a form in which its fields have an effect", () => {
  assertEquals(Object.keys(FORMS).toSorted(), Object.keys(COMMANDS).toSorted());
  for (const [name, forms] of Object.entries(FORMS)) {
    for (const form of forms) assertEquals(findCommand(cdb(form.cdb)), COMMANDS[name], form.cdb);
  }
});

for (const [name, forms] of Object.entries(FORMS)) {
  Deno.test(`every bit of ${name} is honoured, refused, or known to have no effect`, async () => {
    const row = COMMANDS[name]!;
    const bases = await Promise.all(forms.map((form) => observe(form, cdb(form.cdb))));
    for (const { result } of bases) {
      assert(TAKEN.includes(result.outcome), `the form ends with ${result.outcome}`);
    }
    for (let bit = 8; bit < row.usage.length * 8; bit++) {
      const [byte, mask] = [bit >> 3, 0x80 >> (bit & 7)];
      if (byte === 1 && row.serviceAction !== undefined && mask < 0x20) continue;
      const seen = await Promise.all(forms.map((form) => observe(form, flipBit(cdb(form.cdb), bit))));
      const hasEffect = seen.some(({ world }, index) => world !== bases[index]!.world);
      const where = `bit ${7 - (bit & 7)} of byte ${byte}`;
      const isLast = byte === row.usage.length - 1;
      if ((ignoredMask(row, byte) & mask) !== 0) {
        assertEquals(row.usage[byte]! & mask, 0, `${where} is in the usage data, too`);
        assert(!hasEffect, `${where} must have no effect`);
      } else if (isLast || (row.usage[byte]! & mask) === 0) {
        for (const { result } of seen) assertFieldRefused(result, byte, 7 - (bit & 7));
      } else {
        assert(hasEffect || mayHaveNoEffect(name, byte, mask), `${where} has no effect`);
      }
    }
  });
}

Deno.test("bytes behind a CDB that is shorter than 16 have no effect", async () => {
  for (const [name, forms] of Object.entries(FORMS)) {
    for (const form of forms) {
      const block = cdb(form.cdb).fill(0xff, COMMANDS[name]!.usage.length);
      assertEquals((await observe(form, block)).world, (await observe(form, cdb(form.cdb))).world, form.cdb);
    }
  }
});

Deno.test("refusedBitsOf() leaves out what a row takes or ignores, and SCSI-2's LUN where there can be one", () => {
  assertEquals(refusedBitsOf({ usage: [0x00, 0, 0, 0, 0, 0x04] }), [
    1,
    0x1f,
    2,
    0xff,
    3,
    0xff,
    4,
    0xff,
    5,
    0xff,
  ]);
  assertEquals(
    refusedBitsOf({
      usage: [0x28, 0xf8, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0x04],
      ignores: ["groupNumber"],
    }),
    [1, 0x07, 6, 0xe0, 9, 0xff],
  );
  assertEquals(
    refusedBitsOf({ serviceAction: 1, usage: [0x48, 0xa1, 0, 0, 0, 0, 0, 0xff, 0xff, 0x04] }),
    [1, 0x40, 2, 0xff, 3, 0xff, 4, 0xff, 5, 0xff, 6, 0xff, 9, 0xff],
  );
});

Deno.test("an extended CDB is refused, for commands of 16 bytes and for shorter ones", async () => {
  const nexus = openUnit();
  for (const name of ["TEST UNIT READY", "READ(10)", "READ(16)"]) {
    const block = new Uint8Array(20);
    block[0] = COMMANDS[name]!.opcode;
    assertFieldRefused(await run(nexus, block), 16);
    assertEquals((await run(nexus, block.subarray(0, 16))).outcome, "good");
  }
});

Deno.test("commands that need no logical unit refuse the same bits without one", async () => {
  const nexus = openUnit();
  for (const [name, row] of Object.entries(COMMANDS)) {
    if (row.executeWithoutLogicalUnit === undefined) continue;
    for (let index = 0; index < row.refusedBits.length; index += 2) {
      const [byte, mask] = [row.refusedBits[index]!, row.refusedBits[index + 1]!];
      const block = cdb(FORMS[name]![0]!.cdb);
      block[byte]! |= mask;
      assertFieldRefused(await complete(nexus.execute(9, block)), byte, 31 - Math.clz32(mask));
    }
  }
});
