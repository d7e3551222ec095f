import { assert, assertEquals } from "@std/assert";
import { BLOCKS_6 } from "../../../lib/scsi/dispatch/block_cdb.ts";
import { usageOf } from "../../../lib/scsi/dispatch/cdb_bits.ts";
import {
  ABSENT,
  bitsOf,
  bytesOf,
  type CdbField,
  isSet,
  readField,
  refuseField,
} from "../../../lib/scsi/dispatch/cdb_field.ts";
import { COMMANDS } from "../../../lib/scsi/dispatch/command_table.ts";
import { assertFieldRefused, cdb, complete } from "../fixture.ts";

/** Each bit of a field, as its byte and its mask. */
function bitsOfField({ byte, lengthBytes, mask }: CdbField): (readonly [number, number])[] {
  return Array.from({ length: lengthBytes * 8 }, (_, bit) => [byte + (bit >> 3), 0x80 >> (bit & 7)] as const)
    .filter(([at, bit]) => at > byte || (mask & bit) !== 0);
}

Deno.test("readField() reads part of a byte, whole bytes of each length, and the 21 bits of an address", () => {
  const block = cdb("88 ff 01 23 45 67 89 ab cd ef");
  assertEquals(readField(block, bitsOf(3, 0xf0)), 0x2);
  assertEquals(readField(block, bitsOf(3, 0x06)), 0b01);
  assertEquals(readField(block, bytesOf(3, 1)), 0x23);
  assertEquals(readField(block, bytesOf(3, 2)), 0x2345);
  assertEquals(readField(block, bytesOf(3, 3)), 0x234567);
  assertEquals(readField(block, bytesOf(1, 3, 0x1f)), 0x1f0123);
  assertEquals(readField(block, bytesOf(6, 4)), 0x89abcdef);
  assertEquals(readField(cdb("00 00 00 00 00 12 34 56 78 9a"), bytesOf(2, 8)), 0x12_3456_789a);
});

Deno.test("readField() reads 256 for zero blocks in 6 bytes, and zero for an absent field", () => {
  assertEquals(readField(cdb("08 00 00 00 00"), BLOCKS_6.blocks), 256);
  assertEquals(readField(cdb("08 00 00 00 ff"), BLOCKS_6.blocks), 255);
  assertEquals(readField(cdb("08 ff"), ABSENT), 0);
  assertEquals(isSet(cdb("08 ff"), ABSENT), false);
});

Deno.test("refuseField() points at a whole field, and at the first bit of a part of a byte", async () => {
  assertFieldRefused(await complete(refuseField(bytesOf(7, 2))), 7);
  assertFieldRefused(await complete(refuseField(bitsOf(2, 0x3f))), 2, 5);
  assertFieldRefused(await complete(refuseField(bitsOf(1, 0x01))), 1, 0);
});

Deno.test("usageOf() has the length of the operation code, the fields, the service action and NACA", () => {
  const fields = { flag: bitsOf(1, 0x80), length: bytesOf(7, 2) };
  assertEquals(usageOf({ opcode: 0x48, serviceAction: 1, fields }), [
    0x48,
    0x81,
    0,
    0,
    0,
    0,
    0,
    0xff,
    0xff,
    4,
  ]);
  assertEquals(usageOf({ opcode: 0x08, fields: BLOCKS_6 }), [0x08, 0x1f, 0xff, 0xff, 0xff, 4]);
  for (const [opcode, length] of [[0x1f, 6], [0x20, 10], [0x5f, 10], [0x80, 16], [0xbf, 12]] as const) {
    assertEquals(usageOf({ opcode, fields: {} }).length, length);
  }
});

Deno.test("the fields of every row lie between operation code and CONTROL, and do not overlap", () => {
  for (const [name, { fields, serviceAction, usage }] of Object.entries(COMMANDS)) {
    const taken = new Uint8Array(usage.length);
    if (serviceAction !== undefined) taken[1] = 0x1f;
    for (const [field, description] of Object.entries(fields)) {
      for (const [byte, mask] of bitsOfField(description)) {
        assert(byte > 0 && byte < usage.length - 1, `${field} of ${name} is at byte ${byte}`);
        assertEquals(taken[byte]! & mask, 0, `${field} of ${name} overlaps another field at byte ${byte}`);
        taken[byte]! |= mask;
      }
    }
  }
});
