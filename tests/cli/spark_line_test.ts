import { assertEquals } from "@std/assert";
import { sparkLine, usageBar } from "../../lib/cli/spark_line.ts";

Deno.test("sparkLine() scales to the greatest value, and leaves unknown ones blank", () => {
  assertEquals(sparkLine([undefined, 0, 1, 50, 100, 14]), " _.=#.");
  assertEquals(sparkLine([0, 0]), "__");
  assertEquals(sparkLine([]), "");
  assertEquals(sparkLine([undefined]), " ");
  // Anything but nothing is visible.
  assertEquals(sparkLine([0.001, 1_000_000]), ".#");
});

Deno.test("usageBar() has its width, whatever is used", () => {
  assertEquals(usageBar(0, 100, 12), "[----------]");
  assertEquals(usageBar(50, 100, 12), "[#####-----]");
  assertEquals(usageBar(100, 100, 12), "[##########]");
  for (const [used, whole] of [[200, 100], [-1, 100], [0, 0], [5, 0]] as const) {
    assertEquals(usageBar(used, whole, 12).length, 12);
  }
});
