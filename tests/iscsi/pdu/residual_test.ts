import { assertEquals } from "@std/assert";
import { residualOf } from "../../../lib/iscsi/pdu/residual.ts";

Deno.test("residualOf() is an underflow of what the command leaves and an overflow of what finds no room", () => {
  assertEquals(residualOf(512, 512), { kind: "none", bytes: 0 });
  assertEquals(residualOf(0, 0), { kind: "none", bytes: 0 });
  assertEquals(residualOf(1024, 512), { kind: "underflow", bytes: 512 });
  assertEquals(residualOf(512, 0), { kind: "underflow", bytes: 512 });
  assertEquals(residualOf(0, 512), { kind: "overflow", bytes: 512 });
  assertEquals(residualOf(1, 0xffffffff), { kind: "overflow", bytes: 0xfffffffe });
});
