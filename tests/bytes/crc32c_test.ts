import { assertEquals } from "@std/assert";
import { crc32c } from "../../lib/bytes/crc32c.ts";
import { Crc32cKernel } from "../../lib/bytes/crc32c_kernel.ts";
import { numberFromEnvironment, Random } from "../support/seeded_random.ts";

/** CRC32C as RFC 7143, 11.2.3 and A.4 define it, bit by bit: the remainder of the message by the polynomial. */
function crc32cBitwise(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = ((value ^ byte >> bit) & 1) === 1;
      value = value >>> 1 ^ (isOdd ? 0x82f63b78 : 0);
    }
  }
  return ~value >>> 0;
}

/** A SCSI READ (10) command PDU, the last of the standard's examples. */
const READ_COMMAND = Uint8Array.fromHex(
  "01c00000000000000000000000000000140000000000040000000014000000182800000000000000" + "0200000000000000",
);

/** RFC 7143, A.4, as numbers: the bytes on the wire are those of the number, least significant first. */
const EXAMPLES: readonly (readonly [name: string, bytes: Uint8Array, crc: number])[] = [
  ["32 bytes of zeros", new Uint8Array(32), 0x8a9136aa],
  ["32 bytes of ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ["32 incrementing bytes", Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd794e],
  ["32 decrementing bytes", Uint8Array.from({ length: 32 }, (_, index) => 31 - index), 0x113fdb5c],
  ["a SCSI READ (10) command", READ_COMMAND, 0xd9963a56],
  ["the digits 1 to 9", new TextEncoder().encode("123456789"), 0xe3069283],
  ["nothing", new Uint8Array(), 0],
];

const SEED = numberFromEnvironment("FUZZ_SEED", 20070101);

const kernel = new Crc32cKernel();
const WAYS: Readonly<Record<string, typeof crc32c>> = {
  "crc32c()": crc32c,
  "Crc32cKernel": (...args) => kernel.crc32c(...args),
};

for (const [way, compute] of Object.entries(WAYS)) {
  for (const [name, bytes, crc] of EXAMPLES) {
    Deno.test(`${way} gives the CRC of the standard for ${name}`, () => assertEquals(compute(bytes), crc));
  }

  Deno.test(`${way} agrees with the definition at every length up to three blocks`, () => {
    const bytes = Uint8Array.from({ length: 700 }, (_, index) => index * 7 + (index >> 5));
    for (let length = 0; length <= bytes.length; length++) {
      const part = bytes.subarray(0, length);
      assertEquals(compute(part), crc32cBitwise(part), `${length} bytes`);
    }
  });

  Deno.test(`${way} agrees with the definition at random lengths, at once and continued (FUZZ_SEED=${SEED})`, () => {
    const random = new Random(SEED);
    const buffer = Uint8Array.from({ length: 100_000 }, () => random.below(256));
    for (let round = 0; round < 60; round++) {
      const start = random.below(5_000);
      const end = start + random.below(round % 10 === 0 ? 95_000 : 3_000);
      const cut = start + random.below(end - start + 1);
      const expected = crc32cBitwise(buffer.subarray(start, end));
      const what = `FUZZ_SEED=${SEED}: ${start} to ${end}, cut at ${cut}`;
      assertEquals(compute(buffer, 0, start, end), expected, what);
      assertEquals(compute(buffer, compute(buffer, 0, start, cut), cut, end), expected, what);
    }
  });

  Deno.test(`${way} depends on every bit of 1000 bytes`, () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index * 11);
    const crcs = new Set([compute(bytes)]);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      crcs.add(compute(bytes));
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
    assertEquals(crcs.size, 1 + bytes.length * 8);
  });
}
