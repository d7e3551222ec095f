import { assert, assertEquals } from "@std/assert";
import { Random } from "../support/seeded_random.ts";
import { planCrashes } from "./_crash_states.ts";
import { Disk, type Tree } from "./_disk.ts";
import { PAGE_BYTES } from "./_inode.ts";
import type { Change, Recording } from "./_operation.ts";

const PAGES = 4;

/** Returns a recording of a file that is made and durable, and of a write that begins at 20 and ends at 30. */
function recordingOf(): Recording<never> {
  const before: Change[] = [
    { kind: "open", handle: 1, path: "a", creates: true, truncates: false },
    { kind: "sync", handle: 1 },
    { kind: "open", handle: 2, path: "", creates: false, truncates: false },
    { kind: "sync", handle: 2 },
  ];
  const bytes = new Uint8Array(PAGES * PAGE_BYTES).fill(7);
  const operations = before.map((change, index) => ({ start: 2 * index, end: 2 * index + 1, change }));
  const write: Change = { kind: "write", handle: 1, offset: 0, bytes };
  return { operations: [...operations, { start: 20, end: 30, change: write }], notes: [], end: 40 };
}

/** Returns the pages that the file has. */
function pagesOf(tree: Tree): number[] {
  const entry = tree.get("a");
  return entry?.kind === "file" ? [...entry.image.pages.keys()].sort() : [-1];
}

const STATES = planCrashes(new Disk(), recordingOf(), new Random(1)).map((plan) => plan.make());

Deno.test("planCrashes() cuts a write under way between its pages when the process dies", () => {
  const states = STATES.filter(({ kind, time }) => kind === "kill" && time === 20);
  const prefixes = states.map(({ tree }) => pagesOf(tree).length);
  assertEquals([...new Set(prefixes)].sort(), [0, 1, 2, 3, 4]);
  assert(states.every(({ tree }) => pagesOf(tree).every((page, index) => page === index)));
});

Deno.test("planCrashes() loses nothing that a process has done when it dies", () => {
  const states = STATES.filter(({ kind, time }) => kind === "kill" && time >= 30);
  assert(states.length > 0);
  assert(states.every(({ tree }) => pagesOf(tree).length === PAGES));
});

Deno.test("planCrashes() loses any of what was not synced when the power is cut", () => {
  const states = STATES.filter(({ kind, time }) => kind === "power" && time >= 30);
  const selections = new Set(states.map(({ tree }) => pagesOf(tree).join(" ")));
  for (const wanted of ["", "0 1 2 3"]) assert(selections.has(wanted), `"${wanted}" is there`);
  assert(selections.size > 4, `${selections.size} selections`);
});

Deno.test("planCrashes() goes on from a power cut with a durable disk, from a kill with one that is not", () => {
  for (const { kind, disk, tree } of STATES) {
    if (kind === "power") assertEquals(disk.units(), []);
    assertEquals(pagesOf(disk.tree()), pagesOf(tree));
  }
  assert(STATES.some(({ kind, disk }) => kind === "kill" && disk.units().length > 0));
});
