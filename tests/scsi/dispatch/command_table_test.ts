import { assert, assertEquals } from "@std/assert";
import {
  COMMANDS,
  findCommand,
  isKnownOpcode,
  kindOfCommand,
} from "../../../lib/scsi/dispatch/command_table.ts";
import { command } from "../fixture.ts";
import { CommandKind } from "../../../lib/scsi/counters/traffic.ts";

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

Deno.test("the rows are in ascending order, and no two are for the same command", () => {
  const keys = Object.values(COMMANDS).map(({ opcode, serviceAction = 0 }) => opcode << 5 | serviceAction);
  assertEquals(keys, [...new Set(keys)].sort((a, b) => a - b));
});

Deno.test("findCommand() finds each row, and what has no service action under any bits there", () => {
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

Deno.test("only the commands that write are said to write", () => {
  const writing = Object.keys(COMMANDS).filter((name) => command(name).access === "writes");
  assertEquals(writing, [
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

Deno.test("what moves user data counts as a read or a write, and everything else as neither", () => {
  const kinds = Object.values(COMMANDS).map(({ opcode }) => kindOfCommand(Uint8Array.of(opcode)));
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
  assertEquals(kindOfCommand(Uint8Array.of(0xff)), CommandKind.other);
});
