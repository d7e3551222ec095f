import { assertEquals, assertThrows } from "@std/assert";
import { LineBuffer } from "../../lib/control/line_buffer.ts";

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

Deno.test("LineBuffer returns the same lines however their bytes are delivered", () => {
  const stream = bytesOf("one\n\nthr\u00e9e\n\u{1f4be}\n");
  const lines = ["one", "", "thr\u00e9e", "\u{1f4be}"];
  for (let size = 1; size <= stream.length; size++) {
    const buffer = new LineBuffer(8);
    const got: string[] = [];
    const piece = new Uint8Array(size);
    for (let offset = 0; offset < stream.length; offset += size) {
      const next = stream.subarray(offset, offset + size);
      piece.set(next);
      got.push(...buffer.push(piece.subarray(0, next.length)));
      // The next read overwrites what this one brought.
      piece.fill(0x21);
    }
    assertEquals(got, lines, `in pieces of ${size}`);
    assertEquals(buffer.isInLine, false);
  }
});

Deno.test("LineBuffer knows whether it is in the middle of a line", () => {
  const buffer = new LineBuffer(100);
  assertEquals(buffer.isInLine, false);
  assertEquals(buffer.push(bytesOf("a\nb")), ["a"]);
  assertEquals(buffer.isInLine, true);
});

Deno.test("LineBuffer refuses a line that is too long as soon as it is", () => {
  const buffer = new LineBuffer(4);
  assertEquals(buffer.push(bytesOf("abc\n")), ["abc"]);
  assertEquals(buffer.push(bytesOf("abcd")), []);
  assertThrows(() => buffer.push(bytesOf("e")), RangeError, "longer than 4 bytes");
  assertThrows(() => new LineBuffer(4).push(bytesOf("abcd\n")), RangeError);
});

Deno.test("LineBuffer refuses what is not UTF-8", () => {
  assertThrows(() => new LineBuffer(4).push(new Uint8Array([0xff, 0x0a])), TypeError);
});
