import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { decodeText, encodeText, TextAssembly, TextPieces } from "../../../lib/iscsi/pdu/text.ts";
import { LoginKeys } from "../../../lib/iscsi/negotiation/login_keys.ts";

const LIMITS = { textKeys: 256 };

function decode(text: string): ReturnType<typeof decodeText> {
  return decodeText(new TextEncoder().encode(text), LIMITS);
}

function problem(text: string | Uint8Array): string {
  const decoded = typeof text === "string" ? decode(text) : decodeText(text, LIMITS);
  assert(typeof decoded === "string", "the text is refused");
  return decoded;
}

Deno.test("decodeText() gives the pairs in the order of the wire, repeated keys included", () => {
  assertEquals(decode("B=2\0A=1\0B=3\0"), [["B", "2"], ["A", "1"], ["B", "3"]]);
});

Deno.test("decodeText() splits at the first equals sign and keeps empty values", () => {
  assertEquals(decode("A=\0B=x=y=\0"), [["A", ""], ["B", "x=y="]]);
});

Deno.test("decodeText() takes text of any language, and none at all", () => {
  assertEquals(decode("InitiatorAlias=\u732b \ud83d\ude00\0"), [["InitiatorAlias", "\u732b \ud83d\ude00"]]);
  assertEquals(decode(""), []);
});

Deno.test("decodeText() overlooks padding, and a last pair without its NUL", () => {
  assertEquals(decode("A=1\0\0\0\0"), [["A", "1"]]);
  assertEquals(decode("\0A=1\0\0B=2"), [["A", "1"], ["B", "2"]]);
});

Deno.test("decodeText() knows every key of the table by its name", () => {
  for (const key of Object.keys(LoginKeys)) assertEquals(decode(`${key}=v\0`), [[key, "v"]]);
});

Deno.test("decodeText() takes the names of extensions (6.1)", () => {
  for (const key of ["X-com.example.key", "X#node", "Y-a", "Z#b", "A.b-c+d@e_f9", "K".repeat(63)]) {
    assertEquals(decode(`${key}=v\0`), [[key, "v"]]);
  }
});

Deno.test("decodeText() refuses what is no key=value pair", () => {
  for (const text of ["A\0", "=1\0", "A B=1\0", "1A=1\0", "\u00c4=1\0", `${"K".repeat(64)}=1\0`, "A\n=1\0"]) {
    assertStringIncludes(problem(text), "key=value");
  }
});

Deno.test("decodeText() says what is wrong in one line of printable text, however long the text", () => {
  const sentence = problem(`${"\n\x1b[31m".repeat(10_000)}\0`);
  assert(sentence.length < 500, "it is short");
  // deno-lint-ignore no-control-regex
  assert(!/[\x00-\x1f]/.test(sentence), "it has no control characters");
});

Deno.test("decodeText() refuses what is not UTF-8", () => {
  for (
    const bytes of [[0x41, 0x3d, 0xff, 0], [0x41, 0x3d, 0xc0, 0x80, 0], [0x41, 0x3d, 0xed, 0xa0, 0x80, 0]]
  ) {
    assertStringIncludes(problem(Uint8Array.from(bytes)), "UTF-8");
  }
});

Deno.test("decodeText() refuses more keys than the limit, though there be 10,000", () => {
  const pairs = (count: number): string => Array.from({ length: count }, (_, i) => `K${i}=\0`).join("");
  assertEquals(decode(pairs(256)).length, 256);
  assertStringIncludes(problem(pairs(257)), "256");
  assertStringIncludes(problem(pairs(10_000)), "256");
});

Deno.test("encodeText() ends every pair with a NUL", () => {
  assertEquals(new TextDecoder().decode(encodeText([["A", "1"], ["B", ""]])), "A=1\0B=\0");
  assertEquals(encodeText([]).length, 0);
});

Deno.test("TextAssembly joins parts, empty ones included, and copies them", () => {
  const assembly = new TextAssembly(100);
  const part = new TextEncoder().encode("InitiatorN");
  assert(assembly.add(part));
  part.fill(0);
  assert(assembly.add(new Uint8Array()));
  assert(assembly.add(new TextEncoder().encode("ame=x\0")));
  assertEquals(new TextDecoder().decode(assembly.take()), "InitiatorName=x\0");
  assertEquals([assembly.take().length, assembly.heldBytes], [0, 0]);
});

Deno.test("TextAssembly keeps pieces of one byte in one buffer, of at most twice their length", () => {
  const assembly = new TextAssembly(1000);
  for (let length = 1; length <= 1000; length++) {
    assert(assembly.add(Uint8Array.of(length)));
    assert(assembly.heldBytes >= length && assembly.heldBytes <= Math.min(2 * length, 1000), `${length}`);
  }
  const whole = assembly.take();
  assertEquals(whole.buffer.byteLength, 1000);
  assertEquals(whole, Uint8Array.from({ length: 1000 }, (_, index) => index + 1));
});

Deno.test("TextAssembly takes a character that is cut in two", () => {
  const bytes = new TextEncoder().encode("A=\u732b\0");
  const assembly = new TextAssembly(100);
  for (const byte of bytes) assert(assembly.add(Uint8Array.of(byte)));
  assertEquals(decodeText(assembly.take(), LIMITS), [["A", "\u732b"]]);
});

Deno.test("TextAssembly takes up to its limit, and again after take()", () => {
  const assembly = new TextAssembly(10);
  for (let round = 0; round < 3; round++) {
    assert(assembly.add(new Uint8Array(10)));
    assert(!assembly.add(new Uint8Array(1)));
    assert(assembly.add(new Uint8Array()));
    assertEquals(assembly.take().length, 10);
  }
});

Deno.test("TextPieces hands out all of a text in pieces", () => {
  const text = Uint8Array.from({ length: 10 }, (_, index) => index);
  for (const size of [1, 3, 5, 10, 11]) {
    const pieces = new TextPieces(text);
    const taken: number[] = [];
    while (!pieces.done) {
      assertEquals(pieces.length, text.length, "it is kept as a whole");
      const piece = pieces.take(size);
      assert(piece.length > 0 && piece.length <= size);
      taken.push(...piece);
    }
    assertEquals(taken, [...text]);
    assertEquals([pieces.take(size).length, pieces.length], [0, 0]);
  }
  assert(new TextPieces(new Uint8Array()).done);
});
