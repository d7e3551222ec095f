/** A run of the tool: chooses mutants of a folder, tries each, and counts. */
import { join } from "@std/path";
import { Random } from "../support/seeded_random.ts";
import { type Equivalent, findStale, withoutEquivalents } from "./_equivalents.ts";
import { ImportGraph } from "./_import_graph.ts";
import { applyEdit, type Mutant } from "./_mutant.ts";
import { mutantsOf } from "./_operators.ts";
import { Project } from "./_project.ts";
import { digestOf, type Outcome, Results } from "./_results.ts";
import { ScratchTree } from "./_scratch_tree.ts";

/** The mutants of a folder, as the command line asks for them. */
export interface Selection {
  /** The root of the tree. */
  readonly root: string;
  /** A folder of lib, such as `store` or `scsi/commands`. */
  readonly folder: string;
  /** Only those of a file of the folder; all when undefined. */
  readonly file?: string | undefined;
  readonly count: number;
  readonly seed: number;
  readonly equivalents: readonly Equivalent[];
}

/** The mutants that a run is to try. */
export interface Chosen {
  readonly project: Project;
  readonly mutants: readonly Mutant[];
  /** Entries of the list of equivalent ones that name nothing. */
  readonly stale: readonly Equivalent[];
  /** All that the operators propose for the files, whether they type-check or not. */
  readonly proposed: number;
}

/** Chooses mutants at random, of those that type-check and that a test could notice. */
export async function choose(selection: Selection): Promise<Chosen> {
  const { root, folder, file, count, seed, equivalents } = selection;
  const paths = listFiles(root, `lib/${folder}`, ".ts").filter((path) =>
    file === undefined || path.endsWith(file)
  );
  if (paths.length === 0) throw new Error(`No file "${file ?? "*.ts"}" in lib/${folder}`);
  const project = await Project.open(root, paths);
  const all = paths.flatMap((path) => {
    const { source, checker } = project.sourceOf(path);
    return mutantsOf(path, source, checker);
  });
  const mutants: Mutant[] = [];
  // Shuffled first, so that an entry in the list of equivalents does not change what else a seed chooses.
  for (const mutant of withoutEquivalents(new Random(seed).shuffled(all), equivalents)) {
    if (mutants.length === count) break;
    const faults = project.faultsOf(mutant.path, applyEdit(project.textOf(mutant.path), mutant));
    if (faults.length === 0) mutants.push(mutant);
  }
  return { project, mutants, stale: findStale(equivalents, paths, all), proposed: all.length };
}

/** Options for a run. */
export interface RunOptions {
  readonly jobs: number;
  /** The file of outcomes. */
  readonly results: string;
  /** Time for the tests of a mutant; a few times what they take without a fault, when undefined. */
  readonly limitMs?: number | undefined;
  /** Called with each outcome, and whether it is of an earlier run. */
  readonly onOutcome: (mutant: Mutant, outcome: Outcome, isKept: boolean) => void;
}

/** Shortest time limit: a machine that is busy with other work may stand still for some seconds. */
const LIMIT_MS_MIN = 20_000;
const LIMIT_FACTOR = 5;

/** Tries mutants, each in a copy of the tree of which nothing else is changed. */
export async function tryAll(
  { root, folder }: Pick<Selection, "root" | "folder">,
  { project, mutants }: Pick<Chosen, "project" | "mutants">,
  { jobs, results: resultsPath, limitMs, onOutcome }: RunOptions,
): Promise<Map<Mutant, Outcome>> {
  const tests = listFiles(root, `tests/${folder}`, "_test.ts");
  const results = new Results(
    resultsPath,
    digestOf(...listFiles(root, "tests", ".ts").map((path) => read(root, path))),
  );
  const outcomes = new Map<Mutant, Outcome>();
  const waiting: Mutant[] = [];
  for (const mutant of mutants) {
    const kept = results.find(mutant, digestOf(project.textOf(mutant.path)));
    if (kept === undefined) waiting.push(mutant);
    else outcomes.set(mutant, kept);
    if (kept !== undefined) onOutcome(mutant, kept, true);
  }
  if (waiting.length === 0) return outcomes;
  const graph = new ImportGraph((path) => readOrUndefined(root, path));
  const limit = limitMs ?? await measureLimit(root, tests);
  await Promise.all(Array.from({ length: jobs }, async () => {
    using tree = await ScratchTree.copy(root);
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const text = project.textOf(mutant.path);
      tree.setFault(mutant.path, applyEdit(text, mutant));
      const outcome = await tryOne(tree, stagesOf(mutant.path, tests, graph), limit);
      results.add(mutant, digestOf(text), outcome);
      outcomes.set(mutant, outcome);
      onOutcome(mutant, outcome, false);
    }
  }));
  return outcomes;
}

/** Runs all tests of a folder without a fault, which they must pass. */
async function measureLimit(root: string, tests: readonly string[]): Promise<number> {
  using tree = await ScratchTree.copy(root);
  const began = performance.now();
  const run = await tree.test(tests, 600_000);
  if (run.kind !== "passed") {
    throw new Error(`Cannot try mutants: the tests do not pass without a fault: ${JSON.stringify(run)}`);
  }
  return Math.max(LIMIT_MS_MIN, (performance.now() - began) * LIMIT_FACTOR);
}

async function tryOne(
  tree: ScratchTree,
  stages: readonly (readonly string[])[],
  limitMs: number,
): Promise<Outcome> {
  for (const stage of stages.filter(({ length }) => length > 0)) {
    const run = await tree.test(stage, limitMs);
    if (run.kind === "failed") return { kind: "noticed", test: run.test };
    if (run.kind === "hung") return { kind: "hung" };
  }
  return { kind: "notNoticed" };
}

/**
 * Cuts the tests into what is run first, the test of the very file, and the others. Those that do not reach the file by
 * imports may reach it in a way that cannot be seen here, and come last.
 */
export function stagesOf(path: string, tests: readonly string[], graph: ImportGraph): [string[], string[]] {
  const own = path.replace(/^lib\//, "tests/").replace(/\.ts$/, "_test.ts");
  const far = Number.MAX_SAFE_INTEGER;
  const rest = tests.filter((test) => test !== own)
    .map((test) => ({ test, distance: graph.distance(test, path) ?? far }))
    .sort((a, b) => a.distance - b.distance || (a.test < b.test ? -1 : 1));
  return [tests.filter((test) => test === own), rest.map(({ test }) => test)];
}

/** Returns the files of a folder and of those in it whose names end in a certain way. */
function listFiles(root: string, folder: string, ending: string): string[] {
  return [...Deno.readDirSync(join(root, folder))].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return listFiles(root, path, ending);
    return name.endsWith(ending) ? [path] : [];
  }).sort();
}

function read(root: string, path: string): string {
  return Deno.readTextFileSync(join(root, path));
}

function readOrUndefined(root: string, path: string): string | undefined {
  try {
    return read(root, path);
  } catch {
    return undefined;
  }
}
