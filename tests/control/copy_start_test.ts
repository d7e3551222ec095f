import { assertEquals, assertThrows } from "@std/assert";
import { ControlError } from "../../lib/control/control_error.ts";
import { decodeCopyStart, encodeCopyStart } from "../../lib/control/copy_start.ts";

Deno.test("decodeCopyStart() reads what encodeCopyStart() wrote, and nothing else", () => {
  const start = { copy: 3, source: "/a", keep: "/b", map: "/c" };
  assertEquals(decodeCopyStart(encodeCopyStart(start)), start);
  for (const text of ["", "waiting", "null", "{}", '{"copy":"3","source":"/a","keep":"/b","map":"/c"}']) {
    assertThrows(() => decodeCopyStart(text), ControlError, "Start of a copy is invalid");
  }
});
