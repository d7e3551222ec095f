/**
 * `deno task discard`, with options that `--help` lists
 *
 * Gives space back on this target and on Debian's tgt with `thin_provisioning=1`, on the same file system, in turn,
 * round after round. A neighbour reads 4 KiB of another LUN at depth 1 meanwhile. Prints commands per second, their
 * median time, and how many times longer the neighbour's reads take (99 of 100) than without the job: of each the best
 * round, because other work of the machine only delays. With `--former` another checkout of this project takes part.
 */
import { join, resolve } from "@std/path";
import { DISCARD_JOBS, DISCARD_LUN_BYTES, type DiscardJob, spanOf } from "./discard_jobs.ts";
import { checkCount, checkPattern, readOptions } from "./options.ts";
import { Progress } from "./progress.ts";
import { dropCache } from "./run_job.ts";
import { compileC, has, ourProgram, run, type Side, sourceProgram, startOurs, startTgt } from "./sides.ts";
import { formatFigure } from "./table.ts";

const OPTIONS = {
  jobs: {
    value: "PATTERN",
    help: "only jobs with names that match, in any letter case",
    default: ".",
    check: checkPattern,
  },
  rounds: { value: "N", help: "how often each job runs on each side", default: "3", check: checkCount },
  former: { value: "CHECKOUT", help: "another checkout of this project that takes part", default: "" },
} as const;

const FILL_BYTES = 1024 * 1024;
const FILL_DEPTH = 4;
const NEIGHBOUR_BYTES = 256 * 1024 * 1024;
const NEIGHBOUR_SECONDS = 1;
/** Seconds after which a job is ended. */
const JOB_SECONDS = 10;

const CELL_WIDTH = 15;

/** The least rate that the project sets itself, over tgt's, and the most delay of the neighbour. */
const WANTED = { rate: 0.5, neighbour: 3 } as const;

/** The result of a job on one side, once. */
interface DiscardResult {
  readonly commandsPerSecond: number;
  readonly p50Us: number;
  /** The neighbour's p99 without the job and during it. */
  readonly aloneUs: number;
  readonly besideUs: number;
}

const values = readOptions("deno task discard [OPTION...]", OPTIONS);
await main();

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "iscsi-discard-" });
  const sides: Side[] = [];
  try {
    const load = await compileC("load", folder);
    await startSides(folder, sides);
    const pattern = new RegExp(values.jobs, "i");
    console.log(sides.map(({ name, description }) => `${name.padEnd(10)} ${description}\n`).join(""));
    console.log(lineOf(headerOf(sides)));
    using progress = new Progress();
    for (const job of DISCARD_JOBS.filter(({ name }) => pattern.test(name))) {
      const row = await measure(job, sides, load, progress);
      progress.clear();
      console.log(lineOf(row));
    }
  } finally {
    for (const side of sides) await side.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Starts the sides, and adds each to `sides` as soon as it has to be stopped. */
async function startSides(folder: string, sides: Side[]): Promise<void> {
  const neighbour = join(folder, "neighbour");
  const blocks = ["bs=1M", `count=${NEIGHBOUR_BYTES >> 20}`];
  await run("dd", ["if=/dev/urandom", `of=${neighbour}`, ...blocks, "status=none"]);
  const prepare = async (name: string): Promise<[string, string]> => {
    const own = join(folder, name);
    await Deno.mkdir(own);
    await Deno.create(join(own, "disk")).then((file) => file.close());
    await Deno.truncate(join(own, "disk"), DISCARD_LUN_BYTES);
    return [own, join(own, "disk")];
  };
  sides.push(await startOurs(...await prepare("ours"), { program: await ourProgram(), neighbour }));
  if (values.former !== "") {
    const former = { name: "former", program: sourceProgram(resolve(values.former)), neighbour } as const;
    sides.push(await startOurs(...await prepare("former"), former));
  }
  if (await has("tgtd")) {
    const [, disk] = await prepare("tgt");
    sides.push(await startTgt(disk, neighbour));
  }
}

async function measure(
  job: DiscardJob,
  sides: readonly Side[],
  load: string,
  progress: Progress,
): Promise<string[]> {
  // Only SANITIZE is missing there.
  const able = sides.filter(({ name }) => job.kind !== "sanitize" || name !== "tgt");
  const results = new Map<Side, DiscardResult[]>(able.map((side) => [side, []]));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const side of able) {
      progress.show(job.name, `round ${round + 1}, ${side.name}`);
      results.get(side)!.push(await runOnce(job, side, load));
    }
  }
  const best = sides.map((side) => bestOf(results.get(side)));
  const rates = best.map((result) => result?.commandsPerSecond);
  const ratios = best.map((result) => result && result.besideUs / result.aloneUs);
  const others = rates.slice(1).map((rate) => formatFigure(rate && rates[0] && rates[0] / rate, 2));
  return [
    job.name,
    ...rates.map((rate) => formatFigure(rate, rate !== undefined && rate < 100 ? 1 : 0)),
    ...others,
    ...best.map((result) => formatFigure(result?.p50Us)),
    ...ratios.map((ratio) => formatFigure(ratio, 1)),
  ];
}

/** Formats a row, which is printed as soon as it is there. */
function lineOf([name, ...cells]: readonly string[]): string {
  const width = Math.max(...DISCARD_JOBS.map((job) => job.name.length));
  return [name!.padEnd(width), ...cells.map((cell) => cell.padStart(CELL_WIDTH))].join("").trimEnd();
}

function headerOf(sides: readonly Side[]): string[] {
  const names = sides.map(({ name }) => name);
  return [
    "job",
    ...names.map((name) => `${name}/s`),
    ...names.slice(1).map((name) => name === "tgt" ? `x tgt (${WANTED.rate})` : `x ${name}`),
    ...names.map((name) => name === "ours" ? "p50 us, ours" : name),
    ...names.map((name) => name === "ours" ? `neighbour (${WANTED.neighbour})` : name),
  ];
}

/** Returns the best of each figure. */
function bestOf(results: readonly DiscardResult[] | undefined): DiscardResult | undefined {
  return results?.reduce((best, result) => ({
    commandsPerSecond: Math.max(best.commandsPerSecond, result.commandsPerSecond),
    p50Us: Math.min(best.p50Us, result.p50Us),
    aloneUs: Math.min(best.aloneUs, result.aloneUs),
    besideUs: Math.min(best.besideUs, result.besideUs),
  }));
}

async function runOnce(job: DiscardJob, side: Side, load: string): Promise<DiscardResult> {
  const lun = String(side.lun);
  const all = [String(side.port), side.target];
  const start = async (
    env: readonly string[],
    args: readonly (string | number)[],
  ): Promise<Record<string, number>> =>
    JSON.parse(await run("env", [...env, load, "127.0.0.1", ...all, ...args.map(String)]));
  if (job.isMapped) {
    const commands = Math.ceil(spanOf(job) / FILL_BYTES);
    await start([`COUNT=${commands}`], [lun, "seqwrite", FILL_BYTES, FILL_DEPTH, 1, JOB_SECONDS]);
    // A hole takes several times as long where the page cache has large pages, which depends on how it was written.
    await dropCache(side.file!);
  } else {
    const discard = [lun, "unmap", DISCARD_LUN_BYTES / 2, 1, 1, JOB_SECONDS];
    await start(["COUNT=1"], discard);
  }
  const neighbour = side.lun + 1;
  const alone = await start([], [neighbour, "randread", 4096, 1, 1, NEIGHBOUR_SECONDS]);
  const env = [`COUNT=${job.commands}`, `DESCRIPTORS=${job.descriptors}`, `NEIGHBOUR=${neighbour}`];
  const result = await start(env, [lun, job.kind, job.extentBytes, job.depth, 1, JOB_SECONDS]);
  return {
    commandsPerSecond: result["operations"]! / result["seconds"]!,
    p50Us: result["p50Us"]!,
    aloneUs: alone["p99Us"]!,
    besideUs: result["neighbourP99Us"]!,
  };
}
