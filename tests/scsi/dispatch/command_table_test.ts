import { assert, assertEquals } from "@std/assert";
import { COMMANDS, findCommand, isKnownOpcode } from "../../../lib/scsi/dispatch/command_table.ts";
import { cdb, command, FakeTask, openUnit } from "../fixture.ts";
import { CommandKind } from "../../../lib/scsi/counters/traffic.ts";
import { bytesOf, type CdbFields, readField } from "../../../lib/scsi/dispatch/cdb_field.ts";
import { commandRows } from "../../../lib/scsi/dispatch/command.ts";
import type { ItlNexus } from "../../../lib/scsi/itl_nexus.ts";
import { refusedForField } from "../../../lib/scsi/outcome/finished.ts";
import type { Operation } from "../../../lib/scsi/outcome/operation.ts";

/** CDB lengths by the three highest bits of the operation code (SPC-4, 4.2.5.1). */
const LENGTHS = [6, 10, 10, undefined, 16, 12];

Deno.test("every row has usage data as long as its CDB, which starts with its operation code", () => {
  for (const [name, { opcode, serviceAction, usage }] of Object.entries(COMMANDS)) {
    assertEquals(usage.length, LENGTHS[opcode >> 5], name);
    assertEquals(usage[0], opcode, name);
    if (serviceAction !== undefined) assertEquals(usage[1]! & 0x1f, serviceAction, name);
    assertEquals(usage.at(-1), 0x04, `${name} looks at NACA, and at nothing else in the CONTROL byte`);
    assert(usage.every((byte) => byte >= 0 && byte <= 0xff), name);
  }
});

/** Fields behind byte 1 that are no whole bytes: byte and bits, by command. */
const PARTIAL_FIELDS: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  "START STOP UNIT": { 3: 0x0f, 4: 0xf7 },
  "PREVENT ALLOW MEDIUM REMOVAL": { 4: 0x03 },
  "READ DEFECT DATA(10)": { 2: 0x1f },
  "REPORT SUPPORTED OPERATION CODES": { 2: 0x87 },
  "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS": { 2: 0x80 },
};

Deno.test("every row looks at whole bytes for its addresses, lengths and identifiers", () => {
  for (const [name, { usage }] of Object.entries(COMMANDS)) {
    for (let byte = 2; byte < usage.length - 1; byte++) {
      const field = PARTIAL_FIELDS[name]?.[byte];
      const expected = field === undefined ? [0x00, 0xff] : [field];
      assert(expected.includes(usage[byte]!), `${name}, byte ${byte}: ${usage[byte]}`);
    }
  }
});

Deno.test("the rows are in ascending order, and no two are for the same command", () => {
  const keys = Object.values(COMMANDS).map(({ opcode, serviceAction = 0 }) => opcode << 5 | serviceAction);
  assertEquals(keys, [...new Set(keys)].sort((a, b) => a - b));
});

Deno.test("findCommand() finds each row, and a row without a service action under any bits there", () => {
  for (const [name, row] of Object.entries(COMMANDS)) {
    for (let bits = 0; bits < 0x100; bits++) {
      const found = findCommand(Uint8Array.of(row.opcode, bits));
      const isThis = row.serviceAction === undefined || row.serviceAction === (bits & 0x1f);
      assertEquals(found === row, isThis, `${name} ${bits}`);
    }
  }
});

Deno.test("findCommand() finds nothing for operation codes that no row has", () => {
  const known = new Set(Object.values(COMMANDS).map(({ opcode }) => opcode));
  for (let opcode = 0; opcode < 0x100; opcode++) {
    assertEquals(isKnownOpcode(opcode), known.has(opcode));
    if (!known.has(opcode)) assertEquals(findCommand(Uint8Array.of(opcode, 0)), undefined);
  }
});

Deno.test("only eight commands are executed as with HEAD OF QUEUE, and no unknown operation code", () => {
  const isHeadOfQueue = (cdb: Uint8Array): boolean => findCommand(cdb)?.isHeadOfQueue === true;
  const names = Object.entries(COMMANDS)
    .filter(([, { opcode, serviceAction = 0 }]) => isHeadOfQueue(Uint8Array.of(opcode, serviceAction)))
    .map(([name]) => name);
  assertEquals(names, [
    "REQUEST SENSE",
    "INQUIRY",
    "READ CAPACITY(10)",
    "SANITIZE OVERWRITE",
    "SANITIZE BLOCK ERASE",
    "SANITIZE EXIT FAILURE MODE",
    "READ CAPACITY(16)",
    "REPORT LUNS",
  ]);
  assertEquals(isHeadOfQueue(Uint8Array.of(0xff, 0)), false);
});

Deno.test("only the commands that write have the access class of writes", () => {
  const writing = Object.keys(COMMANDS).filter((name) => command(name).access === "writes");
  assertEquals(writing, [
    "FORMAT UNIT",
    "WRITE(6)",
    "WRITE(10)",
    "WRITE AND VERIFY(10)",
    "WRITE SAME(10)",
    "UNMAP",
    "SANITIZE OVERWRITE",
    "SANITIZE BLOCK ERASE",
    "SANITIZE EXIT FAILURE MODE",
    "COMPARE AND WRITE",
    "WRITE(16)",
    "ORWRITE(16)",
    "WRITE AND VERIFY(16)",
    "WRITE SAME(16)",
    "WRITE ATOMIC(16)",
    "WRITE(12)",
    "WRITE AND VERIFY(12)",
  ]);
});

Deno.test("a command that moves user data counts as a read or a write, and every other as neither", () => {
  const nexus = openUnit();
  const kindOf = (opcode: number, serviceAction = 0): CommandKind => {
    const task = new FakeTask();
    nexus.submit(9, cdb(`${opcode.toString(16)} ${serviceAction.toString(16)}`), task);
    return task.kind;
  };
  const kinds = Object.values(COMMANDS).map(({ opcode, serviceAction }) => kindOf(opcode, serviceAction));
  const namesOf = (kind: CommandKind): string[] =>
    Object.keys(COMMANDS).filter((_, index) => kinds[index] === kind);
  assertEquals(namesOf(CommandKind.read), ["READ(6)", "READ(10)", "READ(16)", "READ(12)"]);
  assertEquals(namesOf(CommandKind.write), [
    "WRITE(6)",
    "WRITE(10)",
    "WRITE AND VERIFY(10)",
    "WRITE SAME(10)",
    "COMPARE AND WRITE",
    "WRITE(16)",
    "ORWRITE(16)",
    "WRITE AND VERIFY(16)",
    "WRITE SAME(16)",
    "WRITE ATOMIC(16)",
    "WRITE(12)",
    "WRITE AND VERIFY(12)",
  ]);
  assertEquals(kindOf(0xff), CommandKind.other);
});

Deno.test("commandRows() compiles only if the fields of a row are those that its function reads", () => {
  const execute = (_nexus: ItlNexus, cdb: Uint8Array, { lba }: CdbFields<"lba">): Operation =>
    refusedForField(readField(cdb, lba));
  const fields = { lba: bytesOf(2, 4) };
  const rows = commandRows({
    right: { opcode: 0x20, fields, access: "reads", execute },
    // @ts-expect-error the function reads a field that the row does not have
    wrong: { opcode: 0x20, fields: { address: fields.lba }, access: "reads", execute },
  });
  assertEquals(Object.keys(rows), ["right", "wrong"]);
});
