import { assertEquals } from "@std/assert";
import { formatTable, median } from "./_table.ts";

Deno.test("median() returns a value of the list: the lower one of two in the middle", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 3, 2]), 2);
  assertEquals(median([]), NaN);
});

Deno.test("formatTable() has a row for each scenario, also without a pause", () => {
  const empty = { failed: 0, lost: 0, duplicated: 0, torn: 0, faults: [] };
  const table = formatTable([
    { ...empty, scenario: "planned move", passed: 2, pausesMs: [3100, 2600] },
    { ...empty, scenario: "node killed", passed: 0, failed: 1, lost: 7, pausesMs: [] },
  ]);
  assertEquals(
    table,
    `scenario      runs  pause p50  pause max  lost  duplicated  torn  verdict
planned move  2     2.6 s      3.1 s      0     0           0     ok
node killed   1     -          -          7     0           0     FAILED
`,
  );
});
