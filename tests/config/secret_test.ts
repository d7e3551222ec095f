import { assert, assertEquals, assertMatch } from "@std/assert";
import { isSameSecret, makeSecretText, readSecretText, Secret } from "../../lib/config/secret.ts";

const TEXT = "correct-horse-1";

function bytesOf(text: string): string | undefined {
  const { secret } = readSecretText(text);
  return secret && new Uint8Array(secret.bytes).toHex();
}

Deno.test("readSecretText() takes printable ASCII as it is, and 0x as hexadecimal", () => {
  assertEquals(bytesOf("abcdefghijkl"), "6162636465666768696a6b6c");
  assertEquals(bytesOf('!"#$%&()*+,-./:;<=>?@[~'), "2122232425262829" + "2a2b2c2d2e2f3a3b3c3d3e3f405b7e");
  assertEquals(bytesOf("0x000102030405060708090a0b"), "000102030405060708090a0b");
  assertEquals(bytesOf("0XFF0102030405060708090A0B"), "ff0102030405060708090a0b");
});

Deno.test("readSecretText() takes 12 to 255 bytes, and doubts more than 16", () => {
  const rows = [
    [11, "it is 11 N long; use 12 to 255 N (Windows: at most 16)", undefined],
    [12, undefined, undefined],
    [16, undefined, undefined],
    [17, undefined, "is 17 N long (Windows: at most 16)"],
    [255, undefined, "is 255 N long (Windows: at most 16)"],
    [256, "it is 256 N long; use 12 to 255 N (Windows: at most 16)", undefined],
  ] as const;
  for (const [length, problem, doubt] of rows) {
    for (
      const [text, unit] of [["a".repeat(length), "characters"], [
        `0x${"0a".repeat(length)}`,
        "bytes",
      ]] as const
    ) {
      const reading = readSecretText(text);
      const expected = [problem, doubt].map((message) => message?.replaceAll("N", unit));
      assertEquals([reading.problem, reading.doubt], expected, String(length));
      assertEquals(reading.secret === undefined, problem !== undefined);
    }
  }
  assertEquals(
    readSecretText("").problem,
    "it is 0 characters long; use 12 to 255 characters (Windows: at most 16)",
  );
});

Deno.test("readSecretText() returns the problem without repeating the text", () => {
  for (
    const text of [
      "a secret of words",
      "geheimnis\u00e4\u00f6\u00fcss",
      "0x00112233445566778899aabbc",
      "0xnothex-at-all",
    ]
  ) {
    const { problem } = readSecretText(text);
    assertMatch(problem ?? "", /^(it contains a space, or characters that are not|after "0x" write two)/);
    assertEquals(problem!.includes(text), false);
  }
});

Deno.test("no text shows a Secret", () => {
  const secret = new Secret(new TextEncoder().encode(TEXT));
  const shown = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    Deno.inspect({ secret }, { depth: 10, showHidden: true }),
    new Error("fails", { cause: secret }).toString(),
  ];
  for (const text of shown) {
    assertEquals(text.includes(TEXT), false, text);
    assertEquals(text.includes("63 6f 72"), false, text);
  }
});

Deno.test("a Secret can be posted to a worker, and no text shows it there", () => {
  const { secret } = structuredClone({ secret: new Secret(new TextEncoder().encode(TEXT)) });
  assertEquals(new TextDecoder().decode(secret.bytes), TEXT);
  assertEquals([`${secret}`, JSON.stringify(secret)], ["[object Object]", '{"bytes":{}}']);
});

Deno.test("isSameSecret() compares bytes", () => {
  const [a, b, c, d] = ["abcdefghijkl", "0x6162636465666768696a6b6c", "abcdefghijkm", "abcdefghijklm"]
    .map((text) => readSecretText(text).secret);
  assert(isSameSecret(a!, b!));
  assertEquals([isSameSecret(a!, c!), isSameSecret(a!, d!), isSameSecret(d!, a!)], [false, false, false]);
});

Deno.test("makeSecretText() makes secrets that are read without doubt, of 96 and 128 bits (9.2.1)", () => {
  const source = (length: number): Uint8Array => new Uint8Array(length).fill(0xfb);
  assertEquals(makeSecretText(source, "text"), "-_v7".repeat(4));
  assertEquals(makeSecretText(source, "hexadecimal"), `0x${"fb".repeat(16)}`);
  const starts = [[0xd3, 0x10], [0xd1, 0x70], [0xd1, 0xb0], [0x00]];
  const numberFirst = (length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    bytes.set(starts.shift()!);
    return bytes;
  };
  assertEquals(makeSecretText(numberFirst, "text"), "A".repeat(16), "0x, 0X and 0b begin numbers");
  for (const form of ["text", "hexadecimal"] as const) {
    const { secret, problem, doubt } = readSecretText(makeSecretText(source, form));
    assertEquals([secret?.bytes.byteLength, problem, doubt], [16, undefined, undefined]);
  }
});
