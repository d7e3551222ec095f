import { assert, assertEquals } from "@std/assert";
import { GRANULE_BYTES_MIN, SpaceMap } from "../../lib/store/space_map.ts";
import { numberFromEnvironment, seededRandom } from "../support/seeded_random.ts";
import { countSteps } from "../support/step_counter.ts";

const KIB4 = GRANULE_BYTES_MIN;

const SEED = numberFromEnvironment("FUZZ_SEED", 20070102);

Deno.test("SpaceMap of an empty store is unmapped, and of any other store mapped", () => {
  const sizeBytes = 100 * KIB4 + 512;
  assertEquals(new SpaceMap(sizeBytes, true).extentAt(0), { isMapped: false, endBytes: sizeBytes });
  assertEquals(new SpaceMap(sizeBytes, false).extentAt(512), { isMapped: true, endBytes: sizeBytes });
});

Deno.test("SpaceMap tracks writes and unmapping by whole granules", () => {
  const map = new SpaceMap(64 * KIB4, true);
  map.markMapped(10 * KIB4 + 4095, 2);
  assertEquals(map.extentAt(0), { isMapped: false, endBytes: 10 * KIB4 });
  assertEquals(map.extentAt(10 * KIB4), { isMapped: true, endBytes: 12 * KIB4 });
  map.markUnmapped(10 * KIB4 + 1, 2 * KIB4 - 1);
  assertEquals(map.extentAt(10 * KIB4 + 7), { isMapped: true, endBytes: 11 * KIB4 });
  assertEquals(map.extentAt(11 * KIB4), { isMapped: false, endBytes: 64 * KIB4 });
  assertEquals([map.isUnmapped(9 * KIB4, KIB4), map.isUnmapped(9 * KIB4, KIB4 + 1)], [true, false]);
});

Deno.test("SpaceMap unmaps the last granule although the store ends within it", () => {
  const map = new SpaceMap(2 * KIB4 + 512, false);
  map.markUnmapped(2 * KIB4, 512);
  assertEquals(map.extentAt(2 * KIB4), { isMapped: false, endBytes: 2 * KIB4 + 512 });
});

Deno.test("SpaceMap of a huge store has larger granules, and never reports mapped bytes as unmapped", () => {
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
  const random = seededRandom(SEED);
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
      `FUZZ_SEED=${SEED}, step ${step}`,
    );
  }
});

Deno.test("SpaceMap.resized() keeps what is known", () => {
  const map = new SpaceMap(10 * KIB4 - 512, true);
  map.markMapped(3 * KIB4, 1);
  const larger = map.resized(20 * KIB4);
  assertEquals(larger.extentAt(0), { isMapped: false, endBytes: 3 * KIB4 });
  assertEquals(larger.extentAt(4 * KIB4), { isMapped: false, endBytes: 9 * KIB4 });
  // The smaller store did not contain the end of its last granule.
  assertEquals(larger.extentAt(9 * KIB4), { isMapped: true, endBytes: 20 * KIB4 });
  const longer = new SpaceMap(100 * KIB4 - 512, true).resized(200 * KIB4);
  assertEquals(longer.extentAt(0), { isMapped: false, endBytes: 99 * KIB4 });
  // Three words of bits become one and a half.
  const coarser = new SpaceMap(96 * KIB4, true).resized(64 * 2 ** 30);
  assertEquals(coarser.extentAt(0), { isMapped: false, endBytes: 96 * KIB4 });
  const coarse = map.resized(2 ** 40);
  assertEquals(coarse.extentAt(0), { isMapped: true, endBytes: 2 ** 40 });
});

/** A map of a store of this many GiB, in which every other 8 MiB are unmapped. */
function stripedMap(gib: number): SpaceMap {
  const map = new SpaceMap(gib * 2 ** 30, false);
  for (let offset = 0; offset < 2 ** 30; offset += 2 ** 24) map.markUnmapped(offset, 2 ** 23);
  return map;
}

Deno.test("SpaceMap answers in the same number of steps for a larger store", () => {
  for (const gib of [1, 64, 64 * 1024]) {
    const ofEmpty = countSteps(() => new SpaceMap(gib * 2 ** 30, true), (map) => {
      assertEquals(map.extentAt(0).endBytes, gib * 2 ** 30);
      assert(map.isUnmapped(5 * 2 ** 20, KIB4));
    });
    // Two ends within blocks of words, 512 blocks between, and the question itself.
    assert(ofEmpty < 1_600, `${ofEmpty} steps for ${gib} GiB`);
    const ofUnmapping = countSteps(() => new SpaceMap(gib * 2 ** 30, true), (map) => {
      assert(map.isUnmapped(5 * 2 ** 20, KIB4));
      map.markMapped(5 * 2 ** 20, KIB4);
      assert(!map.isUnmapped(5 * 2 ** 20, KIB4));
    });
    assert(ofUnmapping < 10, `${ofUnmapping} steps for ${gib} GiB`);
  }
  for (const marked of [true, false]) {
    const make = (): SpaceMap => {
      const map = new SpaceMap(64 * 2 ** 30, marked);
      if (marked) map.markMapped(0, 64 * 2 ** 30);
      else map.markUnmapped(0, 64 * 2 ** 30);
      return map;
    };
    const ofMarked = countSteps(make, (map) => assertEquals(map.extentAt(0).endBytes, 64 * 2 ** 30));
    assert(ofMarked < 1_600, `${ofMarked} steps`);
  }
  const ofStripes = countSteps(() => stripedMap(1), (map) => map.extentAt(0));
  assert(ofStripes < 100, `${ofStripes} steps`);
});

Deno.test("SpaceMap marks nearly all of a store, or searches it, in the same number of steps at any size", () => {
  for (const gib of [4, 64, 64 * 1024]) {
    const sizeBytes = gib * 2 ** 30;
    for (const isUnmapped of [true, false]) {
      const steps = countSteps(() => new SpaceMap(sizeBytes, isUnmapped), (map) => {
        if (isUnmapped) map.markMapped(sizeBytes / 2 ** 16, sizeBytes - sizeBytes / 2 ** 16);
        else map.markUnmapped(sizeBytes / 2 ** 16, sizeBytes - sizeBytes / 2 ** 16);
      });
      // Two visits of each word in a block that is marked in part.
      assert(steps < 1_100, `${steps} steps for ${gib} GiB`);
    }
  }
  // The last block of words is not whole.
  const sizeBytes = 32 * 2 ** 30 - 32 * KIB4;
  const steps = countSteps(() => new SpaceMap(sizeBytes, false), (map) => {
    assertEquals(map.extentAt(0), { isMapped: true, endBytes: sizeBytes });
  });
  // The words of its first block, and the counts of the others.
  assert(steps < 1_100, `${steps} steps`);
});

Deno.test("SpaceMap uses at most 1 MiB, and 1 KiB for its counts", () => {
  const names = ["Uint16Array", "Uint32Array"] as const;
  const originals = names.map((name) => [name, globalThis[name]] as const);
  let bytes = 0;
  for (const [name, original] of originals) {
    const construct = (target: typeof original, args: unknown[]): object => {
      const made: ArrayBufferView = Reflect.construct(target, args);
      bytes += made.byteLength;
      return made;
    };
    Object.defineProperty(globalThis, name, { value: new Proxy(original, { construct }) });
  }
  try {
    for (const gib of [32, 1024 ** 2]) {
      bytes = 0;
      new SpaceMap(gib * 2 ** 30, true);
      assertEquals(bytes, 2 ** 20 + 2 ** 10, `${gib} GiB`);
    }
  } finally {
    for (const [name, original] of originals) Object.defineProperty(globalThis, name, { value: original });
  }
});

Deno.test("SpaceMap skips uniform blocks, and no others", () => {
  const random = seededRandom(SEED + 1);
  const granules = 1 << 23;
  const map = new SpaceMap(granules * KIB4 - 512, true);
  const mapped: [number, number][] = [];
  for (let at = random(1 << 20); at < granules;) {
    const end = Math.min(at + 1 + random(1 << random(18)), granules);
    map.markMapped(at * KIB4, 1);
    map.markMapped(at * KIB4, Math.min(end * KIB4, granules * KIB4 - 512) - at * KIB4);
    mapped.push([at, end]);
    at = end + 1 + random(1 << 21);
  }
  let before = 0;
  for (const [at, end] of mapped) {
    assertEquals([before, at].map((granule) => map.extentAt(granule * KIB4)), [
      { isMapped: at === before, endBytes: (at === before ? end : at) * KIB4 },
      { isMapped: true, endBytes: Math.min(end * KIB4, granules * KIB4 - 512) },
    ], `FUZZ_SEED=${SEED}`);
    before = end;
  }
  map.markUnmapped(0, granules * KIB4 - 512);
  assertEquals(map.extentAt(0).endBytes, granules * KIB4 - 512);
  map.markMapped(0, granules * KIB4 - 512);
  assertEquals(map.extentAt(0), { isMapped: true, endBytes: granules * KIB4 - 512 });
});

Deno.test("SpaceMap with larger granules reports those that were unmapped completely", () => {
  const random = seededRandom(SEED + 2);
  const map = new SpaceMap(32 * 2 ** 30, false);
  const unmapped = Array.from({ length: 4096 }, () => random(4) > 0);
  for (const [granule, is] of unmapped.entries()) if (is) map.markUnmapped(granule * KIB4, KIB4);
  for (const factor of [2, 4, 64]) {
    const larger = map.resized(32 * 2 ** 30 * factor);
    for (let granule = 0; granule < unmapped.length; granule += factor) {
      assertEquals(
        larger.isUnmapped(granule * KIB4, factor * KIB4),
        unmapped.slice(granule, granule + factor).every((is) => is),
        `FUZZ_SEED=${SEED}, granule ${granule}, factor ${factor}`,
      );
    }
    // Its counts are right, too: a search passes by what is alike.
    assertEquals(larger.extentAt(2 ** 30), { isMapped: true, endBytes: 32 * 2 ** 30 * factor });
  }
});

Deno.test("SpaceMap has as many granules as fit into 1 MiB of bits, and half as many of the next size", () => {
  for (const [sizeBytes, granuleBytes] of [[32 * 2 ** 30, KIB4], [32 * 2 ** 30 + 512, 2 * KIB4]]) {
    const map = new SpaceMap(sizeBytes!, false);
    map.markUnmapped(granuleBytes!, granuleBytes!);
    assertEquals(map.extentAt(granuleBytes!), { isMapped: false, endBytes: 2 * granuleBytes! });
    map.markUnmapped(8 * granuleBytes!, granuleBytes! - 1);
    assertEquals(map.extentAt(8 * granuleBytes!).isMapped, true);
  }
});

Deno.test("SpaceMap counts what is marked in pieces of any length", () => {
  const random = seededRandom(SEED + 3);
  const sizeBytes = 2 ** 30;
  /** Marks all of the map in pieces, which may end within words and overlap. */
  const markAll = (mark: (offset: number, lengthBytes: number) => void): void => {
    for (let granule = 0; granule < sizeBytes / KIB4;) {
      const count = Math.min(1 + random(70), sizeBytes / KIB4 - granule);
      mark(granule * KIB4, count * KIB4);
      granule += Math.max(1, count - random(3));
    }
  };
  for (const wasUnmapped of [true, false]) {
    const make = (): SpaceMap => {
      const map = new SpaceMap(sizeBytes, wasUnmapped);
      markAll((offset, lengthBytes) => map.markMapped(offset, lengthBytes));
      markAll((offset, lengthBytes) => map.markUnmapped(offset, lengthBytes));
      return map;
    };
    const steps = countSteps(
      make,
      (map) => assertEquals(map.extentAt(0), { isMapped: false, endBytes: sizeBytes }),
    );
    // Its first block of 512 words, and the counts of the others.
    assert(steps < 600, `${steps} steps, FUZZ_SEED=${SEED}`);
  }
});
