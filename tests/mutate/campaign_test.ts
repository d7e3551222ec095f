/** The whole tool on a tree of its own: a fixture with one file, whose tests notice some faults. */
import { assert, assertEquals } from "@std/assert";
import { dirname } from "@std/path";
import { runToolOk } from "../support/tools.ts";
import { choose, tryAll } from "./_campaign.ts";
import type { Mutant } from "./_mutant.ts";
import type { Outcome } from "./_results.ts";

const TREE: Readonly<Record<string, string>> = {
  "deno.json": "{}",
  "lib/count/count.ts": [
    "export function countTo(end: number, onTick: () => void): number {",
    "  let at = 0;",
    "  while (at < end) at++;",
    "  onTick();",
    "  return at;",
    "}",
    "",
  ].join("\n"),
  "tests/count/count_test.ts": [
    'import { countTo } from "../../lib/count/count.ts";',
    'Deno.test("countTo() counts", () => {',
    "  if (countTo(3, () => {}) !== 3) throw new Error();",
    "});",
    "",
  ].join("\n"),
};

async function withTree(test: (root: string) => Promise<void>): Promise<void> {
  const root = Deno.makeTempDirSync({ prefix: "iscsi-fixture-" });
  try {
    for (const [path, text] of Object.entries(TREE)) {
      Deno.mkdirSync(dirname(`${root}/${path}`), { recursive: true });
      Deno.writeTextFileSync(`${root}/${path}`, text);
    }
    await runToolOk("git", ["-C", root, "init", "--quiet"]);
    await test(root);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

Deno.test("tryAll() says which faults the tests notice, and leaves the tree as it is", async () => {
  await withTree(async (root) => {
    const selection = { root, folder: "count", count: 100, seed: 1, equivalents: [] };
    const { project, mutants: all } = await choose(selection);
    const wanted = ["while (at <= end) at++;", "while (at < end) at--;", "{}"];
    const mutants = all.filter(({ after, before }) => wanted.includes(after) && before !== "return at;");
    const results = `${root}/results.jsonl`;
    const byChange = new Map<string, Outcome["kind"]>();
    // Only the fault that never ends waits for its limit; the others have as long as a busy machine takes.
    const isEndless = ({ after }: Mutant): boolean => after === "while (at < end) at--;";
    for (
      const [limitMs, some] of [
        [1000, mutants.filter(isEndless)],
        [60_000, mutants.filter((mutant) => !isEndless(mutant))],
      ] as const
    ) {
      const options = { jobs: 2, results, limitMs, onOutcome: () => {} };
      const outcomes = await tryAll(selection, { project, mutants: some }, options);
      for (const [{ after }, { kind }] of outcomes) byChange.set(after, kind);
    }
    assertEquals(byChange.get("while (at <= end) at++;"), "noticed");
    assertEquals(byChange.get("while (at < end) at--;"), "hung");
    assertEquals(byChange.get("{}"), "notNoticed");
    assertEquals(Deno.readTextFileSync(`${root}/lib/count/count.ts`), TREE["lib/count/count.ts"]);
  });
});

Deno.test("choose() chooses the same for the same seed, and leaves out what is listed", async () => {
  await withTree(async (root) => {
    const selection = { root, folder: "count", count: 4, seed: 3, equivalents: [] };
    const [first, second] = [await choose(selection), await choose(selection)];
    assertEquals(first.mutants, second.mutants);
    assert(first.proposed > 4, `${first.proposed} are proposed`);
    const [listed, ...others] = first.mutants;
    const equivalents = [
      { ...listed!, reason: "a test" },
      { ...listed!, before: "gone", reason: "a test" },
    ];
    assertEquals((await choose({ ...selection, count: 3, equivalents })).mutants, others);
    const next = await choose({ ...selection, count: 100, equivalents });
    assertEquals(
      next.mutants.some(({ after, before }) => after === listed!.after && before === listed!.before),
      false,
    );
    assertEquals(
      next.mutants.filter((mutant) => others.some(({ after }) => after === mutant.after)).length,
      3,
    );
    assertEquals(next.stale.map(({ before }) => before), ["gone"]);
  });
});
