/** The header that every PDU begins with, as RFC 7143, 11.2 draws it. */
import { assertEquals } from "@std/assert";
import {
  dataSegmentLength,
  expStatSNOf,
  headerLength,
  isContinued,
  isFinal,
  isImmediate,
  opcodeOf,
  paddedLength,
} from "../../../lib/iscsi/pdu/header.ts";

/** A basic header segment of these bytes, the rest of them ones. */
function header(...bytes: readonly number[]): Uint8Array {
  const whole = new Uint8Array(48).fill(0xff);
  whole.set(bytes);
  return whole;
}

Deno.test("opcodeOf() and isImmediate() share byte 0, whose first bit is neither's", () => {
  for (const [byte, opcode, immediate] of [[0x01, 1, false], [0x41, 1, true], [0xbf, 0x3f, false]] as const) {
    assertEquals([opcodeOf(header(byte)), isImmediate(header(byte))], [opcode, immediate]);
  }
});

Deno.test("isFinal() and isContinued() are the first two bits of byte 1", () => {
  for (
    const [byte, final, continued] of [[0xbf, true, false], [0x7f, false, true], [0, false, false]] as const
  ) {
    assertEquals([isFinal(header(0, byte)), isContinued(header(0, byte))], [final, continued]);
  }
});

Deno.test("expStatSNOf() reads bytes 28 to 31", () => {
  const bytes = header();
  bytes.set([0x81, 0x02, 0x03, 0x04], 28);
  assertEquals(expStatSNOf(bytes), 0x81020304);
});

Deno.test("headerLength() and dataSegmentLength() read one word, wherever the PDU starts", () => {
  const bytes = new Uint8Array(51).fill(0xff);
  bytes.set([2, 0x01, 0x02, 0x03], 3 + 4);
  assertEquals([headerLength(bytes, 3), dataSegmentLength(bytes, 3)], [48 + 2 * 4, 0x010203]);
});

Deno.test("paddedLength() is the next multiple of 4", () => {
  assertEquals([0, 1, 3, 4, 5, 0xffffff].map(paddedLength), [0, 4, 4, 4, 8, 0x1000000]);
});
