/**
 * Puts small faults into a folder of lib, one at a time and in a copy of the tree, and reports which of them the
 * folder's own tests notice: `deno task mutate store --count 100 --seed 7`.
 */
import { parseArgs } from "@std/cli/parse-args";
import { join } from "@std/path";
import { choose, type Chosen, type Selection, tryAll } from "./_campaign.ts";
import { parseEquivalents } from "./_equivalents.ts";
import { formatMutant, type Mutant } from "./_mutant.ts";
import { ROOT } from "./_project.ts";
import type { Outcome } from "./_results.ts";

const USAGE = `Usage: deno task mutate FOLDER [OPTIONS]

  FOLDER             a folder of lib, such as store or scsi/commands
  --count N          try N mutants (100)
  --seed S           choose them by this number; the same number chooses the same (the time)
  --file NAME        only of files whose paths end so
  --list             print the chosen ones and try none
  --jobs N           try N at the same time (1)
  --limit SECONDS    call a mutant hung after this (five times what the tests take, at least 20)
  --results FILE     keep outcomes there and take those of an earlier run from there
                     (mutants/FOLDER.jsonl)
  --help             print this and do nothing
`;

const EQUIVALENTS = "tests/mutate/equivalent.txt";

interface CommandLine extends Omit<Selection, "equivalents"> {
  readonly isList: boolean;
  readonly jobs: number;
  readonly limitMs: number | undefined;
  readonly results: string;
}

/** Reads the command line; prints help, or what is wrong, and ends the process. */
function readCommandLine(args: readonly string[]): CommandLine {
  const unknown: string[] = [];
  const options = parseArgs(args.filter((argument) => argument !== "--"), {
    boolean: ["help", "list"],
    string: ["count", "seed", "file", "jobs", "limit", "results", "_"],
    default: { count: "100", seed: String(Date.now() % 2 ** 32), jobs: "1" },
    unknown: (argument) => !argument.startsWith("-") || unknown.push(argument) === 0,
  });
  if (options.help) end(USAGE, 0);
  const folder = options._.length === 1 ? String(options._[0]) : undefined;
  const numbers = [options.count, options.seed, options.jobs, options.limit ?? "1"].map(Number);
  const isWrong = unknown.length > 0 || folder === undefined || !numbers.every(Number.isSafeInteger);
  if (isWrong) end(`Cannot read the command line: ${args.join(" ")}\n\n${USAGE}`, 2);
  const [count, seed, jobs, limit] = numbers as [number, number, number, number];
  return {
    root: ROOT,
    folder: folder!,
    file: options.file,
    count,
    seed,
    jobs,
    isList: options.list,
    limitMs: options.limit === undefined ? undefined : limit * 1000,
    results: options.results ?? join(ROOT, "mutants", `${folder!.replaceAll("/", "-")}.jsonl`),
  };
}

function end(text: string, code: number): never {
  (code === 0 ? Deno.stdout : Deno.stderr).writeSync(new TextEncoder().encode(text));
  Deno.exit(code);
}

function printOutcome(mutant: Mutant, outcome: Outcome, isKept: boolean): void {
  const word = { noticed: "noticed", hung: "noticed (hung)", notNoticed: "NOT NOTICED" }[outcome.kind];
  const by = outcome.test === undefined ? "" : ` by "${outcome.test}"`;
  const place = `${mutant.path}:${mutant.line} (${mutant.operator})`;
  console.log(`${place}: ${word}${by}${isKept ? " (earlier run)" : ""}`);
}

function printSummary({ mutants, stale }: Chosen, outcomes: ReadonlyMap<Mutant, Outcome>): void {
  const missed = mutants.filter((mutant) => outcomes.get(mutant)?.kind === "notNoticed");
  if (missed.length > 0) console.log("\nNot noticed:\n");
  for (
    const mutant of missed.toSorted((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line)
  ) {
    console.log(formatMutant(mutant));
  }
  const hung = mutants.filter((mutant) => outcomes.get(mutant)?.kind === "hung").length;
  const noticed = mutants.length - missed.length;
  console.log(`\n${noticed} of ${mutants.length} noticed, ${hung} of them because the tests hung`);
  for (const { line, path, before, after } of stale) {
    console.error(
      `${EQUIVALENTS}:${line}: no such mutant; remove or correct the entry: ${path} - ${before} + ${after}`,
    );
  }
}

async function main(args: readonly string[]): Promise<number> {
  const options = readCommandLine(args);
  const equivalents = parseEquivalents(Deno.readTextFileSync(join(ROOT, EQUIVALENTS)), EQUIVALENTS);
  const chosen = await choose({ ...options, equivalents });
  const { mutants, proposed, stale } = chosen;
  console.log(
    `lib/${options.folder}: ${proposed} faults proposed, ${mutants.length} chosen, seed ${options.seed}`,
  );
  if (options.isList) {
    for (const mutant of mutants) console.log(formatMutant(mutant));
    return 0;
  }
  const outcomes = await tryAll(options, chosen, { ...options, onOutcome: printOutcome });
  printSummary(chosen, outcomes);
  return stale.length > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
