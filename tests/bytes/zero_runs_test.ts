import { assertEquals } from "@std/assert";
import { isZero, zeroRuns } from "../../lib/bytes/zero_runs.ts";
import { Random } from "../support/seeded_random.ts";

Deno.test("isZero() finds a byte at every place of a buffer, aligned or not", () => {
  for (const start of [0, 1, 4]) {
    for (const length of [0, 1, 3, 4, 5, 4096, 4099]) {
      const bytes = new Uint8Array(8192).subarray(start, start + length);
      assertEquals(isZero(bytes), true);
      for (const at of [0, 1, length >> 1, length - 2, length - 1]) {
        if (at < 0 || at >= length) continue;
        bytes[at] = 0x80;
        assertEquals(isZero(bytes), false, `${at} of ${length} from ${start}`);
        bytes[at] = 0;
      }
    }
  }
});

Deno.test("isZero() ignores what is beside the buffer", () => {
  const bytes = new Uint8Array(100).fill(1);
  bytes.fill(0, 5, 55);
  assertEquals(isZero(bytes.subarray(5, 55)), true);
});

Deno.test("zeroRuns() divides a buffer without gaps into runs that are all zero, or not", () => {
  const random = new Random(Date.now());
  for (let round = 0; round < 100; round++) {
    const bytes = new Uint8Array(random.below(40_000));
    for (let count = random.below(4); count > 0; count--) bytes[random.below(bytes.length || 1)] = 1;
    let done = 0;
    let last: boolean | undefined;
    for (const { start, end, isZero: isRunZero } of zeroRuns(bytes)) {
      assertEquals(start, done);
      assertEquals(isRunZero, isZero(bytes.subarray(start, end)));
      assertEquals(isRunZero === last, false, "two equal runs follow each other");
      [done, last] = [end, isRunZero];
    }
    assertEquals(done, bytes.length);
  }
});
