import { assertEquals } from "@std/assert";
import * as bigEndian from "../../lib/bytes/big_endian.ts";

type Reader = (bytes: Uint8Array, offset: number) => number;
type Writer = (bytes: Uint8Array, offset: number, value: number) => void;

/** Every width that the module has, with the functions for it. */
const WIDTHS: readonly (readonly [bits: number, read: Reader, write: Writer])[] = [
  [16, bigEndian.readUint16, bigEndian.writeUint16],
  [24, bigEndian.readUint24, bigEndian.writeUint24],
  [32, bigEndian.readUint32, bigEndian.writeUint32],
  [48, bigEndian.readUint48, bigEndian.writeUint48],
];

function hexOf(value: number, bits: number): string {
  return value.toString(16).padStart(bits / 4, "0");
}

for (const [bits, read, write] of WIDTHS) {
  Deno.test(`writeUint${bits}() and readUint${bits}() agree with the bytes written out, sign bit included`, () => {
    const max = 2 ** bits - 1;
    for (const value of [0, 1, 0x7f, 0x80, 0x1234, 2 ** (bits - 1) - 1, 2 ** (bits - 1), max - 1, max]) {
      const bytes = new Uint8Array(bits / 8 + 2).fill(0xee);
      write(bytes, 1, value);
      assertEquals(bytes.toHex(), `ee${hexOf(value, bits)}ee`);
      assertEquals(read(bytes, 1), value);
    }
  });

  Deno.test(`readUint${bits}() reads each byte at its place`, () => {
    for (let byte = 0; byte < bits / 8; byte++) {
      const bytes = new Uint8Array(bits / 8);
      bytes[byte] = 0x81;
      assertEquals(read(bytes, 0), 0x81 * 2 ** (bits - 8 * (byte + 1)));
    }
  });
}

Deno.test("writeUint64() and readUint64() agree up to the largest safe integer", () => {
  for (const value of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 52 + 3, Number.MAX_SAFE_INTEGER]) {
    const bytes = new Uint8Array(10).fill(0xee);
    bigEndian.writeUint64(bytes, 1, value);
    assertEquals(bytes.toHex(), `ee${hexOf(value, 64)}ee`);
    assertEquals(bigEndian.readUint64(bytes, 1), value);
  }
});

Deno.test("readUint64() returns no number below 2^53 for one above it", () => {
  const bytes = new Uint8Array(8).fill(0xff);
  assertEquals(bigEndian.readUint64(bytes, 0) > Number.MAX_SAFE_INTEGER, true);
});

Deno.test("functions read through a view, not through the buffer beneath it", () => {
  const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
  const view = bytes.subarray(2);
  assertEquals(bigEndian.readUint32(view, 1), 0x04050607);
  bigEndian.writeUint16(view, 6, 0xabcd);
  assertEquals([...bytes], [1, 2, 3, 4, 5, 6, 7, 8, 0xab, 0xcd]);
});
