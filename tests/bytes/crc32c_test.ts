import { assertEquals } from "@std/assert";
import { crc32c } from "../../lib/bytes/crc32c.ts";

Deno.test("crc32c() gives the check value of its polynomial, and those of RFC 7143, A.4", () => {
  assertEquals(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  assertEquals(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assertEquals(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assertEquals(crc32c(new Uint8Array()), 0);
});

Deno.test("crc32c() goes on where it was left", () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, index) => index * 7);
  for (const cut of [0, 1, 255, 300]) {
    assertEquals(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut))), crc32c(bytes));
  }
});
