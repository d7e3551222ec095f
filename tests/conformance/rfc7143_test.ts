/** Every file and test that the requirement matrix names exists. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { LoginStatus } from "../../lib/iscsi/pdu/login_status.ts";
import { namesOfTests, readRequirements } from "./requirements.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** Returns the text of a file of this repository; undefined when it does not exist. */
function textOf(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(`${ROOT}${path}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

const requirements = readRequirements(textOf("tests/conformance/rfc7143.md")!);

Deno.test("every requirement has a number of its own, and there are more than 400", () => {
  assertEquals(new Set(requirements.map(({ id }) => id)).size, requirements.length);
  assert(requirements.length > 400, `${requirements.length} requirements`);
});

Deno.test("every file that the matrix names exists", () => {
  const files = new Set(requirements.flatMap(({ files }) => files));
  assertEquals([...files].filter((file) => textOf(file) === undefined), []);
});

Deno.test("every test that the matrix names exists", () => {
  const names = new Map<string, Set<string>>();
  const missing = requirements.flatMap(({ id, tests }) =>
    tests.filter(({ file, name }) => {
      const known = names.get(file) ?? namesOfTests(textOf(file) ?? "");
      names.set(file, known);
      return !known.has(name);
    }).map(({ file, name }) => `${id}: ${file} "${name}"`)
  );
  assertEquals(missing, []);
});

Deno.test("every login status is one that tests bring about (11.13.5)", () => {
  const rows = requirements.filter(({ id }) => id.startsWith("11.13.5-"));
  const unshown = Object.values(LoginStatus)
    .map((status) => `${status.toString(16).toUpperCase().padStart(4, "0")}h`)
    .filter((code) => !rows.some(({ text, tests }) => text.startsWith(`${code}: `) && tests.length > 0));
  assertEquals(unshown, []);
});

Deno.test("readRequirements() refuses rows that show nothing", () => {
  const good =
    '| 1.2-3 | text | `lib/a.ts`, `lib/b.ts` | `tests/a_test.ts` "name"; `tests/b_test.ts` "other" |';
  assertEquals(
    readRequirements(`# Title\n\n| requirement | a | b | c |\n| --- | --- | --- | --- |\n${good}\n`),
    [{
      id: "1.2-3",
      text: "text",
      files: ["lib/a.ts", "lib/b.ts"],
      tests: [{ file: "tests/a_test.ts", name: "name" }, { file: "tests/b_test.ts", name: "other" }],
      reason: undefined,
    }],
  );
  const [excused] = readRequirements("| 1-1 | text | not applicable | because |");
  assertEquals([excused!.files, excused!.tests, excused!.reason], [[], [], "because"]);
  const bad = [
    '| 1.2 | text | `lib/a.ts` | `tests/a_test.ts` "name" |',
    '| 1-1 | | `lib/a.ts` | `tests/a_test.ts` "name" |',
    "| 1-1 | text | `lib/a.ts` | |",
    "| 1-1 | text | `lib/a.ts` | some day |",
    '| 1-1 | text | | `tests/a_test.ts` "name" |',
    "| 1-1 | text | not applicable | |",
    '| 1-1 | text | not applicable | `tests/a_test.ts` "name" |',
    '| 1-1 | text | `lib/a.ts` | `tests/a_test.ts` "name" | more |',
    '| 1-1 | text | `lib/a.ts` | `tests/a_test.ts` "" |',
  ];
  for (const row of bad) assertThrows(() => readRequirements(row), SyntaxError, undefined, row);
});

Deno.test("namesOfTests() finds tests by whatever function makes them", () => {
  const source =
    'Deno.test("one", () => {});\ntestHostile(\n  "two",\n);\nDeno.test(`of ${three}`, f); other("four");';
  assertEquals([...namesOfTests(source)], ["one", "two", "of ${three}"]);
});
