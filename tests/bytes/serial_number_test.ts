import { assertEquals } from "@std/assert";
import { serialAdd, serialDistance } from "../../lib/bytes/serial_number.ts";

Deno.test("serialAdd() wraps at 2^32", () => {
  assertEquals(serialAdd(0, 1), 1);
  assertEquals(serialAdd(0xffffffff, 1), 0);
  assertEquals(serialAdd(0xfffffff0, 0x20), 0x10);
  assertEquals(serialAdd(0, -1), 0xffffffff);
  assertEquals(serialAdd(0x7fffffff, 1), 0x80000000);
});

Deno.test("serialDistance() is short across the wrap and has the sign of the direction", () => {
  const cases = [
    [5, 5, 0],
    [5, 6, 1],
    [6, 5, -1],
    [0xffffffff, 0, 1],
    [0, 0xffffffff, -1],
    [0xfffffff0, 0x10, 0x20],
    [0x7fffffff, 0x80000000, 1],
    [0, 0x7fffffff, 0x7fffffff],
    [0, 0x80000001, -0x7fffffff],
  ] as const;
  for (const [from, to, distance] of cases) assertEquals(serialDistance(from, to), distance);
});

Deno.test("serialDistance() undoes serialAdd() from every corner of the range", () => {
  for (const start of [0, 1, 0x7ffffffe, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff]) {
    for (const count of [-0x7fffffff, -129, -1, 0, 1, 127, 128, 0x7fffffff]) {
      assertEquals(serialDistance(start, serialAdd(start, count)), count);
    }
  }
});
