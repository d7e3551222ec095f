import { assertEquals } from "@std/assert";
import { stagesOf } from "./_campaign.ts";
import { ImportGraph } from "./_import_graph.ts";

const TREE: Readonly<Record<string, string>> = {
  "lib/a.ts": "",
  "lib/b.ts": `import { a } from "./a.ts"; export * from "@std/path";`,
  "tests/a_test.ts": `import "../lib/a.ts";`,
  "tests/b_test.ts": `import type { B } from "../lib/b.ts";`,
  "tests/c_test.ts": `new Worker(new URL("./_worker.ts", import.meta.url));`,
  "tests/d_test.ts": `// import "../lib/a.ts"`,
  "tests/_worker.ts": `await import("../lib/b.ts");`,
};

function graphOf(tree: Readonly<Record<string, string>>): ImportGraph {
  return new ImportGraph((path) => tree[path]);
}

Deno.test("ImportGraph counts the imports between two files, workers included", () => {
  const graph = graphOf(TREE);
  const distances = ["a", "b", "c", "d"].map((name) => graph.distance(`tests/${name}_test.ts`, "lib/a.ts"));
  assertEquals(distances, [1, 2, 3, undefined]);
});

Deno.test("stagesOf() puts the file's own test first and the nearest of the others next", () => {
  const tests = ["tests/d_test.ts", "tests/c_test.ts", "tests/b_test.ts", "tests/a_test.ts"];
  assertEquals(stagesOf("lib/a.ts", tests, graphOf(TREE)), [
    ["tests/a_test.ts"],
    ["tests/b_test.ts", "tests/c_test.ts", "tests/d_test.ts"],
  ]);
});
