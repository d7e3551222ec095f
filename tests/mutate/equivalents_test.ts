import { assertEquals, assertThrows } from "@std/assert";
import { findStale, parseEquivalents, withoutEquivalents } from "./_equivalents.ts";
import { type Mutant, toMutant } from "./_mutant.ts";

const LIST = `# a comment

lib/a.ts
  - a | b
  + a & b
  both are 0 here

lib/b.ts
  - x < 1
  + x <= 1
  x is never 1
`;

function mutantOf(path: string, before: string, after: string): Mutant {
  return toMutant(path, `\n  ${before}\n`, "test", { start: 3, end: 3 + before.length, replacement: after });
}

Deno.test("parseEquivalents() reads entries, and an operator of the language is no separator", () => {
  assertEquals(parseEquivalents(LIST, "list"), [
    { line: 3, path: "lib/a.ts", before: "a | b", after: "a & b", reason: "both are 0 here" },
    { line: 8, path: "lib/b.ts", before: "x < 1", after: "x <= 1", reason: "x is never 1" },
  ]);
});

Deno.test("parseEquivalents() refuses an entry without a reason, and names its line", () => {
  const text = "\nlib/a.ts\n  - a\n  + b\n\nlib/b.ts\n  - a\n  + b\n  it is so\n";
  assertThrows(() => parseEquivalents(text, "list"), SyntaxError, "list:2: ");
});

Deno.test("withoutEquivalents() takes out what is listed, in that file only", () => {
  const mutants = [mutantOf("lib/b.ts", "x < 1", "x <= 1"), mutantOf("lib/c.ts", "x < 1", "x <= 1")];
  assertEquals(withoutEquivalents(mutants, parseEquivalents(LIST, "list")), [mutants[1]!]);
});

Deno.test("findStale() finds entries of the files at hand that name no mutant", () => {
  const list = parseEquivalents(LIST, "list");
  const mutants = [mutantOf("lib/b.ts", "x < 1", "x <= 1")];
  assertEquals(findStale(list, ["lib/b.ts"], mutants), []);
  assertEquals(findStale(list, ["lib/a.ts", "lib/b.ts"], mutants).map(({ path }) => path), ["lib/a.ts"]);
});
