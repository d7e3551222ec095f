import { assertEquals } from "@std/assert";
import { toMutant } from "./_mutant.ts";
import { digestOf, Results } from "./_results.ts";

const TEXT = "a < b;\n";
const MUTANT = toMutant("lib/a.ts", TEXT, "test", { start: 2, end: 3, replacement: "<=" });
const OTHER = toMutant("lib/a.ts", TEXT, "test", { start: 2, end: 3, replacement: ">" });

function withFile(test: (path: string) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "iscsi-results-" });
  try {
    test(`${folder}/made/results.jsonl`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("Results keeps outcomes for the next run", () => {
  withFile((path) => {
    const first = new Results(path, digestOf("tests"));
    assertEquals(first.find(MUTANT, digestOf(TEXT)), undefined);
    first.add(MUTANT, digestOf(TEXT), { kind: "noticed", test: "a test" });
    first.add(OTHER, digestOf(TEXT), { kind: "notNoticed" });
    const next = new Results(path, digestOf("tests"));
    assertEquals(next.find(MUTANT, digestOf(TEXT))?.test, "a test");
    assertEquals(next.find(OTHER, digestOf(TEXT))?.kind, "notNoticed");
  });
});

Deno.test("Results forgets what was not noticed when the tests change, and all of a file that changes", () => {
  withFile((path) => {
    const first = new Results(path, digestOf("tests"));
    first.add(MUTANT, digestOf(TEXT), { kind: "noticed" });
    first.add(OTHER, digestOf(TEXT), { kind: "notNoticed" });
    const next = new Results(path, digestOf("more tests"));
    assertEquals(next.find(MUTANT, digestOf(TEXT))?.kind, "noticed");
    assertEquals(next.find(OTHER, digestOf(TEXT)), undefined);
    assertEquals(next.find(MUTANT, digestOf("a > b;\n")), undefined);
  });
});

Deno.test("Results ignores a last line that an interruption has cut short", () => {
  withFile((path) => {
    new Results(path, digestOf("tests")).add(MUTANT, digestOf(TEXT), { kind: "hung" });
    Deno.writeTextFileSync(path, '{"mutant": "lib/', { append: true });
    assertEquals(new Results(path, digestOf("tests")).find(MUTANT, digestOf(TEXT))?.kind, "hung");
  });
});
