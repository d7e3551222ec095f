import { assertEquals } from "@std/assert";
import { readSources } from "./source_tree.ts";
import { findFaults } from "./tidy.ts";

/** Returns the faults of an invented file, in readable form. */
function faultsOf(text: string, path = "lib/cli/a.ts"): string[] {
  return findFaults({ path, text }).map((fault) => `${fault.line} ${fault.text}`);
}

Deno.test("every file is tidy", () => {
  const sources = readSources();
  assertEquals(sources.some(({ path }) => path === "tests/tidy/tidy_test.ts"), true);
  assertEquals(
    sources.flatMap((file) => findFaults(file).map(({ line, text }) => `${file.path}:${line} ${text}`)),
    [],
  );
});

Deno.test("findFaults() finds nothing in a tidy file", () => {
  const text = `
    /** A pair of numbers. */
    export interface Pair { readonly any: number }
    /** Adds them: RFC 7143, 11.3 and the 16#ff of others; &#39; is a quote. */
    export function add(pair: Pair): number { return pair.any; }
    class Local {
      private constructor() {}
      protected own = 1;
      #private = "TODO #12 enum";
      method(): string { return this.#private; }
    }
    Local.name;
  `;
  assertEquals(faultsOf(text), []);
});

Deno.test("findFaults() finds long lines and foreign characters", () => {
  assertEquals(faultsOf(`"${"x".repeat(118)}"\n`), []);
  assertEquals(faultsOf(`\n"${"x".repeat(119)}"\n`), ["2 121 characters, of at most 120"]);
  assertEquals(faultsOf(`"${String.fromCodePoint(0xe9)}";\t`), ["1 character e9h is not ASCII"]);
});

Deno.test("findFaults() counts the lines of functions of every form", () => {
  const forms: readonly (readonly [name: string, form: string])[] = [
    ["plain", "function plain(): void {BODY}"],
    ["method", "class A { method(): void {BODY} }"],
    ["#secret", "class A { #secret(): void {BODY} }"],
    ["constructor", "class A { constructor() {BODY} }"],
    ["property", "const a = { property: () => {BODY} };"],
    ["an anonymous function", 'Deno.test("a", () => {BODY});'],
  ];
  for (const [name, form] of forms) {
    assertEquals(faultsOf(form.replace("BODY", "\n".repeat(69))), [], name);
    assertEquals(faultsOf(form.replace("BODY", "\n".repeat(70))), [`1 ${name} has 71 lines, of at most 70`]);
  }
});

Deno.test("findFaults() finds unfinished work and trackers' numbers in comments only", () => {
  for (const word of ["TODO", "FIXME", "XXX", "HACK"]) {
    assertEquals(faultsOf(`// ${word}: later`), [
      `1 "${word}" in a comment: do it, or file it where work is filed`,
    ]);
    assertEquals(faultsOf(`"${word}";`), []);
  }
  for (const reference of ["see #12", "issue 2", "Issue #31", "issues/7", "PR 4"]) {
    assertEquals(faultsOf(`/* ${reference} */`).length, 1, reference);
    assertEquals(faultsOf(`"${reference}";`), []);
  }
});

Deno.test("findFaults() finds the constructs that this house does without", () => {
  const constructs = [
    "type A = any;",
    "enum A { b }",
    "const enum A { b }",
    "class A { private b = 1; }",
    "class A { public c(): void {} }",
    "class A { constructor(protected d: number) {} }",
    "const f = (): number => 1;",
    "/** Doc. */\nexport const f = (): number => 1;",
    "let state = 1;",
    "export let state = 1;",
  ];
  for (const construct of constructs) assertEquals(faultsOf(construct).length, 1, construct);
});

Deno.test("findFaults() finds exported functions and classes without a docstring", () => {
  assertEquals(faultsOf("export function f(): void {}"), ["1 f has no docstring"]);
  assertEquals(faultsOf("\nexport class A {}"), ["2 A has no docstring"]);
  assertEquals(faultsOf("/** Doc. */\nexport class A {}"), []);
});

Deno.test("findFaults() finds a file name that is not in snake_case", () => {
  for (const path of ["lib/cli/fileStore.ts", "lib/cli/file-store.ts", "lib/cli/File.ts"]) {
    assertEquals(faultsOf("", path), ["1 the file's name is not in snake_case"]);
  }
});
