/**
 * Figures other than rates: the start, memory, an idle server, and the delay that one session causes another. Each has
 * an upper bound that the project sets itself.
 */
import { getAvailablePort } from "@std/net";
import { join } from "@std/path";
import { FAIRNESS_JOBS, MEMORY_JOBS } from "./jobs.ts";
import { forgetPeakMemory, median, memoryMebibytes, processorTicks } from "./process.ts";
import type { Progress } from "./progress.ts";
import { runLoad, type RunOptions } from "./run_job.ts";
import { confOf, emptyProgram, ourProgram, run, type Side, startOurs, startServer } from "./sides.ts";

/** A figure of each side that has one. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** The upper bound for this project. */
  readonly wanted: number;
  readonly sides: { readonly [Name in Side["name"]]?: number };
}

/** Options for taking figures. */
export interface FigureOptions extends RunOptions {
  /** A folder for the servers' files. */
  readonly folder: string;
  readonly rounds: number;
  /** The targets that run. */
  readonly sides: readonly Side[];
  readonly progress: Progress;
  /** Reports if a figure was requested, by its name. */
  readonly isWanted: (name: string) => boolean;
  /** Called for each measurement that failed. */
  readonly onMissing: (reason: string) => void;
}

const TARGETS = 10;
const IDLE_SECONDS = 10;
const MEMORY_FILE_BYTES = 512 * 1024 * 1024;

const NAMES = {
  start: `start to ready, ${TARGETS} targets`,
  idleMemory: "memory, idle",
  idleTicks: `processor time, idle for ${IDLE_SECONDS} s`,
  memory: (job: string) => `memory, 32 sessions at QD 128, ${job}`,
  fairness: "p99 at QD 1 beside QD 128, over p99 alone",
} as const;

/** Takes all figures that are wanted. */
export async function takeFigures(options: FigureOptions): Promise<Figure[]> {
  const { isWanted } = options;
  const memoryNames = [
    NAMES.idleMemory,
    NAMES.idleTicks,
    ...MEMORY_JOBS.map(({ name }) => NAMES.memory(name)),
  ];
  return [
    ...isWanted(NAMES.start) ? [await measureStart(options)] : [],
    ...memoryNames.some(isWanted) ? (await measureMemory(options)).filter(({ name }) => isWanted(name)) : [],
    ...isWanted(NAMES.fairness) ? [await measureFairness(options)] : [],
  ];
}

/** Measures from the start of the process to `ready`; for comparison, an empty program. */
async function measureStart({ folder, rounds, progress, onMissing }: FigureOptions): Promise<Figure> {
  const program = await ourProgram();
  const storage = join(folder, "start");
  const conf = `${storage}.conf`;
  const targets = Array.from({ length: TARGETS }, (_, index) => `[t${index}]\nsize=1MB`);
  await Deno.writeTextFile(conf, confOf(storage, getAvailablePort(), targets));
  await run(program.command, [...program.prefix, "build", "--conf", conf]);
  const empty = await emptyProgram(folder);
  if (empty === undefined) {
    onMissing("the bound of the start: dist/iscsi was compiled with another version of Deno than runs this");
  }
  const ours: number[] = [];
  const bound: number[] = [];
  for (let round = 0; round < rounds; round++) {
    progress.show(NAMES.start, `round ${round + 1}`);
    const server = await startServer(program, conf);
    await server.stop();
    ours.push(server.readyMs);
    if (empty === undefined) continue;
    const began = performance.now();
    await run(empty.command, empty.prefix);
    bound.push(performance.now() - began);
  }
  const sides = { ours: median(ours), ...(empty !== undefined && { bound: median(bound) }) };
  return { name: NAMES.start, unit: "ms", wanted: program.prefix.length === 0 ? 120 : 200, sides };
}

/** Measures a server that has just started, because memory once used is usually kept. */
async function measureMemory({ folder, progress, ...options }: FigureOptions): Promise<Figure[]> {
  const storage = join(folder, "memory");
  await Deno.mkdir(storage);
  const file = join(storage, "disk");
  await Deno.writeFile(file, new Uint8Array());
  await Deno.truncate(file, MEMORY_FILE_BYTES);
  const side = await startOurs(storage, file, { program: await ourProgram() });
  const figures: Figure[] = [];
  const add = (name: string, unit: string, wanted: number, ours: number): void => {
    figures.push({ name, unit, wanted, sides: { ours } });
  };
  try {
    progress.show(NAMES.idleMemory, `${IDLE_SECONDS} s`);
    // What a start leaves to be done is done by then.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const before = processorTicks(side.pid);
    await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1_000));
    add(NAMES.idleTicks, "ticks", 0, processorTicks(side.pid) - before);
    add(NAMES.idleMemory, "MiB", 100, memoryMebibytes(side.pid, "VmRSS"));
    for (const job of MEMORY_JOBS) {
      const name = NAMES.memory(job.name);
      progress.show(name, `${options.seconds} s`);
      forgetPeakMemory(side.pid);
      await runLoad(job, side, options);
      add(name, "MiB", 256, memoryMebibytes(side.pid, "VmHWM"));
    }
  } finally {
    await side.stop();
  }
  return figures;
}

/** Measures how many times longer a session with little I/O waits while another one sends as much as it may. */
async function measureFairness({ sides, rounds, progress, ...options }: FigureOptions): Promise<Figure> {
  const ratios = new Map<Side["name"], number[]>(sides.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) {
      progress.show(NAMES.fairness, `round ${round + 1}, ${side.name}`);
      const alone = await runLoad(FAIRNESS_JOBS.alone, side, options);
      const beside = await runLoad(FAIRNESS_JOBS.beside, side, options);
      ratios.get(side.name)!.push(beside.p99Us! / alone.p99Us!);
    }
  }
  const medians = [...ratios].map(([name, values]) => [name, median(values)]);
  return { name: NAMES.fairness, unit: "x", wanted: 5, sides: Object.fromEntries(medians) };
}
