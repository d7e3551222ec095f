import { assertEquals } from "@std/assert";
import { cutAtGranules, insertRange, mergeRanges, overlapsAny } from "../../lib/store/byte_range.ts";

/** A range by its first byte and the one after its last. */
function range(offset: number, end: number): { offset: number; lengthBytes: number } {
  return { offset, lengthBytes: end - offset };
}

Deno.test("mergeRanges() joins ranges that touch or overlap, and drops empty ones", () => {
  assertEquals(mergeRanges([]), []);
  assertEquals(mergeRanges([range(8, 9), range(0, 4), range(4, 6), range(7, 7), range(5, 6)]), [
    range(0, 6),
    range(8, 9),
  ]);
  assertEquals(mergeRanges([range(0, 100), range(10, 20), range(50, 120)]), [range(0, 120)]);
});

Deno.test("insertRange() agrees with mergeRanges()", () => {
  const ranges = [range(2, 4), range(6, 7), range(9, 12)];
  for (let offset = 0; offset < 14; offset++) {
    for (let length = 1; offset + length < 15; length++) {
      const added = [...ranges];
      insertRange(added, range(offset, offset + length));
      assertEquals(added, mergeRanges([...ranges, range(offset, offset + length)]), `${length} at ${offset}`);
    }
  }
});

Deno.test("overlapsAny() agrees with a linear search", () => {
  const ranges = [range(2, 4), range(6, 7), range(9, 12)];
  for (let offset = 0; offset < 14; offset++) {
    for (let length = 1; offset + length < 15; length++) {
      const expected = ranges.some((other) =>
        other.offset < offset + length && offset < other.offset + other.lengthBytes
      );
      assertEquals(overlapsAny(ranges, offset, length), expected, `${length} at ${offset}`);
    }
  }
});

Deno.test("cutAtGranules() puts each byte into the whole granules or an edge, once", () => {
  for (let offset = 0; offset < 10; offset++) {
    for (let end = offset + 1; end < 20; end++) {
      const { whole, edges } = cutAtGranules(range(offset, end), 4);
      assertEquals(
        [whole.offset % 4, whole.lengthBytes % 4].every((rest) => rest === 0) || whole.lengthBytes === 0,
        true,
      );
      const parts = [whole, ...edges].filter(({ lengthBytes }) => lengthBytes > 0);
      assertEquals(parts.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0), end - offset);
      assertEquals(mergeRanges(parts), [range(offset, end)]);
      for (const edge of edges) assertEquals(edge.lengthBytes < 8 && edge.lengthBytes > 0, true);
    }
  }
});
