import { assertEquals } from "@std/assert";
import { InitiatorOpcode, initiatorOpcodeName, TargetOpcode } from "../../../lib/iscsi/pdu/opcodes.ts";

Deno.test("initiatorOpcodeName() names what is defined and numbers what is not", () => {
  assertEquals(initiatorOpcodeName(0x01), "SCSI Command");
  assertEquals(initiatorOpcodeName(0x10), "SNACK Request");
  assertEquals(initiatorOpcodeName(0x07), "opcode 0x07");
  assertEquals(initiatorOpcodeName(0x3f), "opcode 0x3f");
});

Deno.test("opcodes of targets have bit 5 and those of initiators do not (RFC 7143, 11.2.1.2)", () => {
  for (const opcode of Object.values(InitiatorOpcode)) assertEquals(opcode & 0x20, 0);
  for (const opcode of Object.values(TargetOpcode)) assertEquals(opcode & 0x20, 0x20);
});

Deno.test("initiatorOpcodeName() has a name for every opcode that is defined", () => {
  const names = Object.values(InitiatorOpcode).map(initiatorOpcodeName);
  assertEquals(names.filter((name) => name.startsWith("opcode")), []);
  assertEquals(new Set(names).size, names.length);
});
