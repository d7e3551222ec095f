import { assertEquals } from "@std/assert";
import { readBinaryValue, writeBinaryValue } from "../../../lib/iscsi/negotiation/binary_value.ts";

function read(text: string, bytesMax = 4): string | undefined {
  return readBinaryValue(text, bytesMax)?.toHex();
}

Deno.test("readBinaryValue() takes hexadecimal and base64", () => {
  assertEquals(["0x00", "0XaB01", "0x102", "0x7"].map((text) => read(text)), ["00", "ab01", "0102", "07"]);
  assertEquals(["0bAA==", "0BqwE=", "0bAQID"].map((text) => read(text)), ["00", "ab01", "010203"]);
});

Deno.test("readBinaryValue() takes nothing else", () => {
  for (
    const text of [
      "",
      "0",
      "0x",
      "0b",
      "12",
      "0xg0",
      "0x 00",
      "0bA",
      "0bAA",
      "0bAAA",
      "0bA===",
      "0bAA=A",
      "x00",
    ]
  ) {
    assertEquals(read(text), undefined, text);
  }
});

Deno.test("readBinaryValue() takes no more bytes than it is told", () => {
  assertEquals([read("0x01020304"), read("0x0102030405"), read("0x000102030")], [
    "01020304",
    undefined,
    undefined,
  ]);
  assertEquals([read("0bAQIDBA=="), read("0bAQIDBAU="), read(`0b${"A".repeat(1000)}`)], [
    "01020304",
    undefined,
    undefined,
  ]);
});

Deno.test("writeBinaryValue() writes what readBinaryValue() reads", () => {
  assertEquals(writeBinaryValue(Uint8Array.of(0, 1, 0xff)), "0x0001ff");
});
