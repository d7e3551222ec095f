import { assertEquals, assertThrows } from "@std/assert";
import { decodeLun, encodeLun } from "../../lib/scsi/logical_unit_number.ts";
import { assertHex, bytes } from "./fixture.ts";

function decode(hex: string): number | undefined {
  return decodeLun(bytes(hex), 0);
}

Deno.test("decodeLun() reads peripheral device and flat space addressing", () => {
  assertEquals(decode("00 00 00 00 00 00 00 00"), 0);
  assertEquals(decode("00 ff 00 00 00 00 00 00"), 255);
  assertEquals(decode("40 07 00 00 00 00 00 00"), 7);
  assertEquals(decode("41 00 00 00 00 00 00 00"), 256);
  assertEquals(decode("7f ff 00 00 00 00 00 00"), 16383);
});

Deno.test("decodeLun() finds no number in other forms", () => {
  assertEquals(decode("01 00 00 00 00 00 00 00"), undefined, "peripheral device addressing on bus 1");
  assertEquals(decode("80 00 00 00 00 00 00 00"), undefined, "logical unit addressing");
  assertEquals(decode("c1 01 00 00 00 00 00 00"), undefined, "a well known logical unit");
  for (let index = 2; index < 8; index++) {
    const field = new Uint8Array(8);
    field[index] = 1;
    assertEquals(decodeLun(field, 0), undefined, `a second level in byte ${index}`);
  }
});

Deno.test("encodeLun() is undone by decodeLun(), for every number and at any offset", () => {
  const field = new Uint8Array(12).fill(0xee);
  for (let lun = 0; lun <= 0x3fff; lun++) {
    encodeLun(lun, field, 3);
    if (decodeLun(field, 3) !== lun) assertEquals(decodeLun(field, 3), lun);
  }
  assertHex(field, "ee ee ee 7f ff 00 00 00 00 00 00 ee");
});

Deno.test("encodeLun() takes peripheral device addressing while it can", () => {
  const field = new Uint8Array(8);
  encodeLun(255, field, 0);
  assertHex(field, "00 ff 00 00 00 00 00 00");
  encodeLun(256, field, 0);
  assertHex(field, "41 00 00 00 00 00 00 00");
});

Deno.test("encodeLun() throws for an invalid logical unit number", () => {
  for (const lun of [-1, 0.5, 0x4000, NaN]) {
    assertThrows(() => encodeLun(lun, new Uint8Array(8), 0), RangeError);
  }
});
