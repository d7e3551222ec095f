/**
 * `deno task bench`, with options that `--help` lists
 *
 * Runs every job on every side in turn, round after round, and prints the median of each side, the ratios, processor
 * time of the server per operation, and latencies; then the other figures. Absolute figures mean little on a shared
 * machine; the ratios come from one run, minutes apart at most.
 */
import { join } from "@std/path";
import { takeFigures } from "./figures.ts";
import { LOAD_JOBS, TOOL_JOBS } from "./jobs.ts";
import { checkCount, checkPattern, checkSeconds, readOptions } from "./options.ts";
import { Progress } from "./progress.ts";
import { formatReport, type Report, type Row } from "./report.ts";
import { medianResult, type Result, runLoad, type RunOptions, runTool } from "./run_job.ts";
import {
  compileC,
  compiledProgram,
  has,
  ourProgram,
  type Program,
  run,
  type Side,
  sourceProgram,
  startBound,
  startDenoBound,
  startOurs,
  startTgt,
} from "./sides.ts";

const FILE_BYTES = 512 * 1024 * 1024;

const OPTIONS = {
  jobs: {
    value: "PATTERN",
    help: "only jobs and figures with names that match, in any letter case",
    default: ".",
    check: checkPattern,
  },
  rounds: { value: "N", help: "how often each job runs on each side", default: "5", check: checkCount },
  seconds: { value: "S", help: "how long each time", default: "2", check: checkSeconds },
  binary: { help: "from source, and the compiled program beside it" },
  bounds: { help: "also against the least that a target can do in C, and in Deno, with a file" },
  json: { help: "print JSON instead of tables" },
} as const;

const values = readOptions("deno task bench [OPTION...]", OPTIONS);
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const pattern = new RegExp(values.jobs, "i");

await main();

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "iscsi-bench-" });
  const sides: Side[] = [];
  const missing: string[] = [];
  try {
    const load = await compileC("load", folder);
    await startSides(folder, sides, missing);
    const report = await measureAll({ folder, sides, missing, load });
    console.log(values.json ? JSON.stringify(report, null, 2) : formatReport(report));
  } finally {
    for (const side of sides) await side.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Reports if a job or a figure was requested. */
function isWanted(name: string): boolean {
  return pattern.test(name);
}

/** Returns the programs of this project to measure, by the names of their sides. */
async function ourPrograms(): Promise<readonly (readonly ["ours" | "binary", Program])[]> {
  if (!values.binary) return [["ours", await ourProgram()]];
  const binary = await compiledProgram();
  if (binary === undefined) throw new Error("There is no dist/iscsi; make it with: deno task compile");
  return [["ours", sourceProgram()], ["binary", binary]];
}

/** Starts all available sides, and adds each to `sides` as soon as it has to be stopped. */
async function startSides(folder: string, sides: Side[], missing: string[]): Promise<void> {
  // How the kernel holds a file in its cache depends on how it was written: both copies are made alike.
  const original = join(folder, "original");
  const blocks = ["bs=1M", `count=${FILE_BYTES >> 20}`];
  await run("dd", ["if=/dev/urandom", `of=${original}`, ...blocks, "status=none"]);
  for (const [name, program] of await ourPrograms()) {
    const own = join(folder, `${name}-storage`);
    await Deno.mkdir(own);
    const through = join(folder, `${name}-through`);
    for (const file of [join(folder, name), through]) await run("cp", [original, file]);
    sides.push(await startOurs(own, join(folder, name), { name, program, through }));
  }
  if (await has("tgtd")) {
    await run("cp", [original, join(folder, "tgt")]);
    sides.push(await startTgt(join(folder, "tgt")));
  } else missing.push("tgt: Debian package tgt is not installed");
  sides.push(await startBound(folder, FILE_BYTES));
  if (values.bounds) {
    for (const name of ["boundC", "boundDeno"]) await run("cp", [original, join(folder, name)]);
    sides.push(await startBound(folder, FILE_BYTES, join(folder, "boundC")));
    sides.push(await startDenoBound(join(folder, "boundDeno")));
  }
  for (const tool of ["iscsi-perf", "qemu-img", "taskset"]) {
    if (!await has(tool)) missing.push(`${tool} is not installed`);
  }
}

/** The measurements to take, and their machine. */
interface Bench extends Pick<RunOptions, "load"> {
  readonly folder: string;
  readonly sides: readonly Side[];
  readonly missing: string[];
}

async function measureAll({ folder, sides, missing, load }: Bench): Promise<Report> {
  using progress = new Progress();
  const options = { load, seconds };
  const figures = await takeFigures({
    ...options,
    ...{ folder, rounds, sides, progress, isWanted },
    onMissing: (reason) => missing.push(reason),
  });
  const rows: Row[] = [];
  for (const job of LOAD_JOBS.filter(({ name }) => isWanted(name))) {
    const able = sides.filter(({ name, through }) =>
      (!job.digests || !name.startsWith("bound")) && (!job.through || through !== undefined)
    );
    rows.push(await measure(job, able, progress, (side) => runLoad(job, side, options)));
  }
  // The last job left some of the files out of the page cache.
  for (const { file } of sides) {
    if (file !== undefined) await run("dd", [`if=${file}`, "of=/dev/null", "bs=1M", "status=none"]);
  }
  for (const job of TOOL_JOBS.filter(({ name }) => isWanted(name))) {
    if (!await has(job.tool)) continue;
    rows.push(await measure(job, sides, progress, (side) => runTool(job, side, seconds)));
  }
  const described = sides.map(({ name, description }) => ({ name, description }));
  return { sides: described, rounds, seconds, rows, figures, missing };
}

async function measure(
  { name, wanted = {} }: { readonly name: string; readonly wanted?: Row["wanted"] },
  sides: readonly Side[],
  progress: Progress,
  once: (side: Side) => Promise<Result>,
): Promise<Row> {
  const results = new Map<Side, Result[]>(sides.map((side) => [side, []]));
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) {
      progress.show(name, `round ${round + 1}, ${side.name}`);
      results.get(side)!.push(await once(side));
    }
  }
  const medians = sides.map((side) => [side.name, medianResult(results.get(side)!)]);
  return { job: name, wanted, sides: Object.fromEntries(medians) };
}
