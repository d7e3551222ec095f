import { assert, assertEquals } from "@std/assert";
import { RangeTree, type TreeRange } from "../../lib/base/range_tree.ts";
import { numberFromEnvironment, seededRandom } from "../support/seeded_random.ts";

const SEED = numberFromEnvironment("FUZZ_SEED", 20261130);

/** A range that counts all looks at its start. */
class CountedRange implements TreeRange {
  static looks = 0;
  readonly endBytes: number;
  readonly #startBytes: number;

  constructor(startBytes: number, endBytes: number) {
    this.#startBytes = startBytes;
    this.endBytes = endBytes;
  }

  get startBytes(): number {
    CountedRange.looks++;
    return this.#startBytes;
  }
}

Deno.test(`RangeTree finds exactly the ranges that overlap, after any changes (FUZZ_SEED=${SEED})`, () => {
  const random = seededRandom(SEED);
  const tree = new RangeTree<TreeRange>();
  const ranges: TreeRange[] = [];
  const anyRange = (): TreeRange => {
    const startBytes = random(100);
    return { startBytes, endBytes: startBytes + 1 + random(random(5) === 0 ? 50 : 3) };
  };
  for (let step = 0; step < 3_000; step++) {
    if (random(5) < 3 && ranges.length < 60) {
      ranges.push(anyRange());
      tree.add(ranges.at(-1)!);
    } else if (ranges.length > 0) assert(tree.delete(ranges.splice(random(ranges.length), 1)[0]!));
    const other = anyRange();
    const expected = ranges.filter(({ startBytes, endBytes }) =>
      startBytes < other.endBytes && endBytes > other.startBytes
    );
    assertEquals(new Set(tree.overlapping(other)), new Set(expected));
    assertEquals(tree.find(other, () => true) !== undefined, expected.length > 0);
    assertEquals(tree.size, ranges.length);
  }
  assertEquals(tree.delete(anyRange()), false);
});

Deno.test("RangeTree looks at a few ranges more when there are ten times as many, in whatever order they came", () => {
  for (const place of [(index: number) => index, (index: number) => -index, () => 0]) {
    const looks = [100, 1_000, 10_000].map((count) => {
      const tree = new RangeTree<TreeRange>();
      const ranges = Array.from({ length: count }, (_, index) => {
        const startBytes = 10 * (place(index) + count);
        return new CountedRange(startBytes, startBytes + 10);
      });
      for (const range of ranges) tree.add(range);
      CountedRange.looks = 0;
      tree.delete(ranges[count >> 1]!);
      tree.add(ranges[count >> 1]!);
      tree.find({ startBytes: 15 * count, endBytes: 15 * count + 1 }, () => true);
      return CountedRange.looks;
    });
    assert(looks[2]! - looks[0]! < 80, looks.join(" "));
  }
});
