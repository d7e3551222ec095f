import { assertEquals } from "@std/assert";
import { quoteWord, replaceQuotations, splitOutsideQuotes, splitWords } from "../../lib/base/quoted_words.ts";
import { numberFromEnvironment, Random } from "../support/seeded_random.ts";

/** Returns the words of a list, quoted ones in brackets. */
function wordsOf(list: string): string[] | undefined {
  return splitWords(list)?.map(({ text, isQuoted }) => isQuoted ? `[${text}]` : text);
}

Deno.test("splitWords() splits at white space outside of quotation marks", () => {
  const rows = [
    ["", []],
    ["  ", []],
    ["a", ["a"]],
    [" a \t b\u00a0c ", ["a", "b", "c"]],
    ['"a b" c', ["[a b]", "c"]],
    [`'a "b' "c 'd"`, ['[a "b]', "[c 'd]"]],
    ['"a \\" b \\\\ \\c"', ['[a " b \\ c]']],
    ["'a \\ b'", ["[a \\ b]"]],
    ['""', ["[]"]],
    ["vm(1),a;b", ["vm(1),a;b"]],
  ] as const;
  for (const [list, words] of rows) assertEquals(wordsOf(list), words as unknown as string[], list);
});

Deno.test("splitWords() returns undefined for quotation marks and backslashes without a place", () => {
  for (const list of ['"a', "'a", 'a"', "it's", '"a"b', `"a"'b'`, 'a"b"', "a\\b", '"a\\"', "a 'b"]) {
    assertEquals(splitWords(list), undefined, list);
  }
});

Deno.test("quoteWord() quotes any word for splitWords(), and for a shell", () => {
  assertEquals(quoteWord("a b"), '"a b"');
  assertEquals(quoteWord('$(x) `y` "z" \\ \''), '"\\$(x) \\`y\\` \\"z\\" \\\\ \'"');
  const seed = numberFromEnvironment("FUZZ_SEED", 20260101);
  const random = new Random(seed);
  for (let round = 0; round < 500; round++) {
    const words = Array.from(
      { length: 1 + random.below(4) },
      () => Array.from({ length: random.below(8) }, () => "ab \"'\\$`,;()"[random.below(12)]).join(""),
    );
    const list = words.map(quoteWord).join(" ");
    assertEquals(splitWords(list), words.map((text) => ({ text, isQuoted: true })), `seed ${seed}: ${list}`);
  }
});

Deno.test("quoteWord() makes a word that sh reads as it was", async () => {
  const word = 'iqn.2008-11.org.linux-kvm:$(echo) `id` "x" \\ \' ; & | * ?';
  const { stdout } = await new Deno.Command("sh", { args: ["-c", `printf %s ${quoteWord(word)}`] }).output();
  assertEquals(new TextDecoder().decode(stdout), word);
});

Deno.test("replaceQuotations() replaces every quotation, and leaves one that is not closed", () => {
  assertEquals(replaceQuotations(`"a # b" c 'd "e' "\\""`, "x"), "x c x x");
  assertEquals(replaceQuotations('"a" "b', "x"), 'x "b');
});

Deno.test("splitOutsideQuotes() keeps what is in double quotes together", () => {
  assertEquals(splitOutsideQuotes('does not list "a \\" b" here'), [
    "does",
    "not",
    "list",
    '"a \\" b"',
    "here",
  ]);
  assertEquals(splitOutsideQuotes("it's  [a b]"), ["it's", "[a", "b]"]);
});
