import { assertEquals } from "@std/assert";
import { GRANULE_BYTES_MIN, SpaceMap } from "../../lib/store/space_map.ts";

const KIB4 = GRANULE_BYTES_MIN;

Deno.test("SpaceMap of an empty store says so, and of any other that it may be mapped", () => {
  const sizeBytes = 100 * KIB4 + 512;
  assertEquals(new SpaceMap(sizeBytes, true).extentAt(0), { isMapped: false, endBytes: sizeBytes });
  assertEquals(new SpaceMap(sizeBytes, false).extentAt(512), { isMapped: true, endBytes: sizeBytes });
});

Deno.test("SpaceMap knows what was written and unmapped by whole granules", () => {
  const map = new SpaceMap(64 * KIB4, true);
  map.markMapped(10 * KIB4 + 4095, 2);
  assertEquals(map.extentAt(0), { isMapped: false, endBytes: 10 * KIB4 });
  assertEquals(map.extentAt(10 * KIB4), { isMapped: true, endBytes: 12 * KIB4 });
  map.markUnmapped(10 * KIB4 + 1, 2 * KIB4 - 1);
  assertEquals(map.extentAt(10 * KIB4 + 7), { isMapped: true, endBytes: 11 * KIB4 });
  assertEquals(map.extentAt(11 * KIB4), { isMapped: false, endBytes: 64 * KIB4 });
  assertEquals([map.isUnmapped(9 * KIB4, KIB4), map.isUnmapped(9 * KIB4, KIB4 + 1)], [true, false]);
});

Deno.test("SpaceMap takes the last granule for unmapped although the store ends within it", () => {
  const map = new SpaceMap(2 * KIB4 + 512, false);
  map.markUnmapped(2 * KIB4, 512);
  assertEquals(map.extentAt(2 * KIB4), { isMapped: false, endBytes: 2 * KIB4 + 512 });
});

Deno.test("SpaceMap of a huge store has larger granules, and never says more than it knows", () => {
  const sizeBytes = 16 * 2 ** 40;
  const map = new SpaceMap(sizeBytes, false);
  map.markUnmapped(2 ** 40 + KIB4, 2 ** 30);
  const granule = 2 ** 21;
  assertEquals(map.extentAt(2 ** 40), { isMapped: true, endBytes: 2 ** 40 + granule });
  assertEquals(map.extentAt(2 ** 40 + granule), { isMapped: false, endBytes: 2 ** 40 + 2 ** 30 });
  map.markUnmapped(0, sizeBytes);
  assertEquals(map.extentAt(0), { isMapped: false, endBytes: sizeBytes });
});

Deno.test("SpaceMap agrees with a list of granules", () => {
  const seed = Number(Deno.env.get("FUZZ_SEED") ?? 20070102);
  let state = seed;
  const random = (below: number): number => {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
  const granules = 77;
  const map = new SpaceMap(granules * KIB4, true);
  const mapped = new Array<boolean>(granules).fill(false);
  for (let step = 0; step < 3_000; step++) {
    const first = random(granules);
    const count = 1 + random(Math.min(granules - first, random(4) === 0 ? granules : 5));
    const isWrite = random(2) === 0;
    if (isWrite) map.markMapped(first * KIB4, count * KIB4);
    else map.markUnmapped(first * KIB4, count * KIB4);
    mapped.fill(isWrite, first, first + count);
    const at = random(granules);
    let end = at + 1;
    while (end < granules && mapped[end] === mapped[at]) end++;
    assertEquals(
      map.extentAt(at * KIB4),
      { isMapped: mapped[at]!, endBytes: end * KIB4 },
      `FUZZ_SEED=${seed}, step ${step}`,
    );
  }
});

Deno.test("SpaceMap knows as much of a larger store as it knew before", () => {
  const map = new SpaceMap(10 * KIB4 - 512, true);
  map.markMapped(3 * KIB4, 1);
  const larger = map.resized(20 * KIB4);
  assertEquals(larger.extentAt(0), { isMapped: false, endBytes: 3 * KIB4 });
  assertEquals(larger.extentAt(4 * KIB4), { isMapped: false, endBytes: 9 * KIB4 });
  // The end of its last granule was none of the smaller one's.
  assertEquals(larger.extentAt(9 * KIB4), { isMapped: true, endBytes: 20 * KIB4 });
  const coarse = map.resized(2 ** 40);
  assertEquals(coarse.extentAt(0), { isMapped: true, endBytes: 2 ** 40 });
});
