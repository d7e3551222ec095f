import { assertEquals } from "@std/assert";
import { nearestWord } from "../../lib/config/nearest_word.ts";
import { OPTION_NAMES } from "../../lib/config/options.ts";

Deno.test("nearestWord() finds the option that was meant", () => {
  const rows = [
    ["netwroks", "networks"],
    ["network", "networks"],
    ["szie", "size"],
    ["sizes", "size"],
    ["read-only", "readonly"],
    ["Storage", "storage"],
    ["initator", "initiators"],
    ["conections", "connections"],
    ["prot", "port"],
    ["alas", "alias"],
    ["comments", "comment"],
  ] as const;
  for (const [word, nearest] of rows) assertEquals(nearestWord(word, OPTION_NAMES), nearest, word);
});

Deno.test("nearestWord() keeps quiet when nothing is close", () => {
  for (const word of ["", "x", "path", "name", "lun", "target", "password", "x".repeat(100_000)]) {
    assertEquals(nearestWord(word, OPTION_NAMES), undefined, word);
  }
});

Deno.test("nearestWord() counts every kind of slip as one", () => {
  for (const word of ["acde", "abxde", "abdce", "abcdef", "axcde", "ABCDE"]) {
    assertEquals(nearestWord(word, ["vwxyz", "abcde"]), "abcde", word);
  }
  assertEquals(nearestWord("abce", ["abxy", "abcd"]), "abcd");
  assertEquals(nearestWord("abce", ["abxyz", "acbe"]), "acbe");
});
