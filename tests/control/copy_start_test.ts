import { assertEquals, assertThrows } from "@std/assert";
import { ControlError } from "../../lib/control/control_error.ts";
import { type CopyStart, decodeCopyStart, encodeCopyStart } from "../../lib/control/copy_start.ts";

Deno.test("decodeCopyStart() reads what encodeCopyStart() wrote, and nothing else", () => {
  const starts: readonly CopyStart[] = [
    { kind: "held", copy: 3 },
    { kind: "preserved", copy: 3, source: "/a", keep: "/b", map: "/c" },
  ];
  for (const start of starts) assertEquals(decodeCopyStart(encodeCopyStart(start)), start);
  for (
    const text of [
      "",
      "waiting",
      "null",
      "{}",
      '{"kind":"preserved","copy":"3","source":"/a","keep":"/b","map":"/c"}',
    ]
  ) {
    assertThrows(() => decodeCopyStart(text), ControlError, "Start of a copy is invalid");
  }
});
