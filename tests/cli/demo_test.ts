import { assert, assertEquals } from "@std/assert";
import { demoSizes } from "../../lib/cli/demo.ts";

const GB = 1024 ** 3;

Deno.test("demoSizes() fits the disks into the available space, down to small ones", () => {
  assertEquals(demoSizes(1000 * GB)[0], 750 * GB);
  assertEquals(demoSizes(74 * GB)[0], 10 * GB);
  for (const available of [2 * GB, 20 * GB, 200 * GB, 0.1 * GB]) {
    const [first, second] = demoSizes(available);
    assert(first + second <= available, `${available}`);
  }
  assert(demoSizes(0)[0] > 0);
});
