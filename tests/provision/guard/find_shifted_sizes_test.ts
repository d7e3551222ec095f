import { assertEquals } from "@std/assert";
import { GB, MB } from "../disk.ts";
import { diskWith, doubtsOf } from "./_found.ts";

function message(lun: number, from: string, to: string, key: string): string {
  return `Sizes of [a] have moved: LUN ${lun} would grow from ${from} to ${to} and keep the data of ` +
    `"${key}", because files belong to positions; write new sizes at the end, remove only the last ones, or run ` +
    '"iscsi build --force" to grow it';
}

Deno.test("findShiftedSizes() finds a size that was inserted, removed or moved before others", () => {
  const [gb, mb] = [750 * GB, 500 * MB];
  const rows = [
    ["1TB 750GB 500MB", { a: gb, a_1: mb }, message(0, "750 GB", "1 TB", "a")],
    ["750GB 1TB 500MB", { a: gb, a_1: mb }, message(1, "500 MB", "1 TB", "a_1")],
    ["750GB 1GB 500MB", { a: gb, a_1: mb }, message(1, "500 MB", "1 GB", "a_1")],
    ["750GB", { a: mb, a_1: gb }, message(0, "500 MB", "750 GB", "a")],
    ["750GB 500MB", { a: mb, a_1: gb }, message(0, "500 MB", "750 GB", "a")],
  ] as const;
  for (const [sizes, files, expected] of rows) {
    const missing = sizes.split(" ").map((_, number) => number === 0 ? "a" : `a_${number}`)
      .filter((key) => !Object.hasOwn(files, key));
    const survey = diskWith(files, missing);
    assertEquals(doubtsOf(["[a]", `size=${sizes}`], survey), [`3: error: ${expected}`], sizes);
    assertEquals(doubtsOf(["[a]", `size=${sizes}`], survey, { force: true }), [`3: ${expected}`], sizes);
  }
});

Deno.test("findShiftedSizes() is silent about sizes that stay in their places", () => {
  const rows = [
    ["750GB 500MB", {}],
    ["750GB 500MB", { a: 750 * GB, a_1: 500 * MB }],
    // Grown, appended and removed at the end.
    ["800GB 500MB", { a: 750 * GB, a_1: 500 * MB }],
    ["750GB 600MB 1GB", { a: 750 * GB, a_1: 500 * MB }],
    ["750GB", { a: 750 * GB, a_1: 500 * MB }],
    ["800GB", { a: 750 * GB, a_1: 500 * MB }],
    // With equal sizes, nothing grows wherever one was inserted.
    ["1GB 1GB 1GB", { a: GB, a_1: GB }],
  ] as const;
  for (const [sizes, files] of rows) {
    const missing = ["a", "a_1", "a_2"].filter((key) => !Object.hasOwn(files, key));
    assertEquals(doubtsOf(["[a]", `size=${sizes}`], diskWith(files, missing)), [], sizes);
  }
});
