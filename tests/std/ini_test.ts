/** The properties of `@std/ini` that the conf parser relies on, for any package behind that name. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { parse } from "@std/ini";

Deno.test("@std/ini parse() converts values", () => {
  const rows = [
    ["a=007", 7],
    ["a=1e3", 1000],
    ["a=", 0],
    ["a=true", true],
    ["a=false", false],
    ["a=null", null],
    ['a="007"', "007"],
    ["a=750GB 500MB", "750GB 500MB"],
    ["  a  =  b = c  ", "b = c"],
  ] as const;
  for (const [text, value] of rows) assertEquals<unknown>(parse(text), { a: value }, text);
});

Deno.test("@std/ini parse() sorts assignments into sections, and lets the last of a name stand", () => {
  const text = "a=b\r\n[s]\r\na=c\na=d\r[t]\n\n";
  assertEquals<unknown>(parse(text), { a: "b", s: { a: "d" }, t: {} });
});

Deno.test("@std/ini parse() skips comments and empty lines", () => {
  assertEquals<unknown>(parse("# a=1\n; b=1\n// c=1\n\n   \nd=e"), { d: "e" });
});

Deno.test("@std/ini parse() makes a key of every name", () => {
  const result = parse<Record<string, unknown>>("__proto__=a\nconstructor=b\n[toString]\n__proto__=c");
  assertEquals(Object.entries(result).map(([key]) => key), ["__proto__", "constructor", "toString"]);
  assertEquals(Object.getPrototypeOf(result), Object.prototype);
});

Deno.test("@std/ini parse() shows the reviver every assignment in order, with its section", () => {
  const seen: unknown[] = [];
  parse("a=b\na=c\n[3]\na=d\n[5]\n[6]\nb c=e\n[6]\nb c=f", {
    reviver(key, value, section): void {
      seen.push([key, value, section]);
    },
  });
  assertEquals(seen, [
    ["a", "b", undefined],
    ["a", "c", undefined],
    ["a", "d", "3"],
    ["b c", "e", "6"],
    ["b c", "f", "6"],
  ]);
});

Deno.test("@std/ini parse() hands the text in quotation marks to the reviver as it is", () => {
  const values = [
    "007",
    "",
    "true",
    "null",
    '"',
    '"a"',
    "'",
    "\\",
    "\\n",
    "a = b",
    "# c",
    "[s]",
    "\u20ac \u{1f600}",
  ];
  const seen: string[] = [];
  parse(values.map((value, index) => `k="${index}=${value}="`).join("\n"), {
    reviver(_key, value): void {
      seen.push(String(value));
    },
  });
  assertEquals(seen.length, values.length);
  for (const [index, value] of values.entries()) {
    // Releases differ in whether the reviver sees the quotation marks.
    assertMatch(seen[index]!, /^("?)\d+=.*=\1$/);
    assertEquals(seen[index]!.replace(/^"?\d+=/, "").replace(/="?$/, ""), value);
  }
});

Deno.test("@std/ini parse() throws at what is no line of INI", () => {
  for (const text of ["a", "=b", "[s", "[]", "[ ]"]) assertThrows(() => parse(text), SyntaxError);
});
