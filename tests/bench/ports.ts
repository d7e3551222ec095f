/**
 * `deno task ports`: two targets under load at the same time, on one port and on two, in turn, round after round.
 *
 * One port has one thread; two ports use two cores, which they share with the two programs that make the load. Prints
 * the operations per second of both targets together, the processor time of the server per operation, the ratio of two
 * ports to one, and the memory of a further worker.
 */
import { getAvailablePort } from "@std/net";
import { join } from "@std/path";
import { LOAD_JOBS, type LoadJob } from "./jobs.ts";
import { checkCount, checkPattern, checkSeconds, readOptions } from "./options.ts";
import { runLoad } from "./run_job.ts";
import { compileC, ourProgram, run, type Server, startServer } from "./sides.ts";

const OPTIONS = {
  jobs: {
    value: "PATTERN",
    help: "only jobs with names that match, in any letter case",
    default: "^4 KiB random (read|write), QD 32$|^256 KiB",
    check: checkPattern,
  },
  rounds: { value: "N", help: "how often each job runs on each server", default: "5", check: checkCount },
  seconds: { value: "S", help: "how long each time", default: "2", check: checkSeconds },
} as const;

const FILE_MIB = 256;
const TARGETS = ["a", "b"] as const;

/** A server of both targets, with the port of each. */
interface Subject {
  readonly name: string;
  readonly server: Server;
  readonly ports: readonly number[];
}

const values = readOptions("deno task ports [OPTION...]", OPTIONS);
await main();

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "iscsi-ports-" });
  const subjects: Subject[] = [];
  try {
    const load = await compileC("load", folder);
    for (const portCount of [1, 2]) subjects.push(await start(folder, portCount));
    console.log(`${(await ourProgram()).description}; two targets, each with a session of its own`);
    const wanted = new RegExp(values.jobs, "i");
    for (const job of LOAD_JOBS.filter(({ name }) => wanted.test(name))) await measure(job, subjects, load);
    const [one, two] = await Promise.all(subjects.map(({ server: { pid } }) => residentMib(pid)));
    console.log(`memory: ${one} MiB with one worker, ${two} MiB with two`);
  } finally {
    for (const { server } of subjects) await server.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

async function start(folder: string, portCount: number): Promise<Subject> {
  const ports = Array.from({ length: portCount }, () => getAvailablePort());
  const storage = join(folder, String(portCount));
  const portOf = (index: number): number => ports[Math.min(index, portCount - 1)]!;
  const sections = TARGETS.flatMap((
    name,
    index,
  ) => [`[${name}]`, `size=${FILE_MIB}MB`, `port=${portOf(index)}`]);
  const conf = join(folder, `${portCount}.conf`);
  await Deno.writeTextFile(conf, [`storage=${storage}`, "networks=127.0.0.0/8", ...sections, ""].join("\n"));
  const program = await ourProgram();
  await run(program.command, [...program.prefix, "build", "--conf", conf]);
  for (const name of TARGETS) {
    const output = [`of=${join(storage, name)}`, "conv=notrunc", "status=none"];
    await run("dd", ["if=/dev/urandom", "bs=1M", `count=${FILE_MIB}`, ...output]);
  }
  const server = await startServer(program, conf);
  const name = portCount === 1 ? "one port" : "two ports";
  return { name, server, ports: TARGETS.map((_, index) => portOf(index)) };
}

async function measure(job: LoadJob, subjects: readonly Subject[], load: string): Promise<void> {
  const results = new Map<string, { rate: number; cpuUs: number }[]>();
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const subject of subjects) {
      const result = await runBoth(job, subject, load);
      results.set(subject.name, [...results.get(subject.name) ?? [], result]);
    }
  }
  const medians = subjects.map(({ name }) => {
    const sorted = results.get(name)!.toSorted((x, y) => x.rate - y.rate);
    return { name, ...sorted[Math.floor(sorted.length / 2)]! };
  });
  const [one, two] = medians;
  const texts = medians.map(({ name, rate, cpuUs }) =>
    `${name} ${Math.round(rate).toLocaleString("en")}/s (${cpuUs.toFixed(1)} us)`
  );
  console.log(`${job.name}: ${texts.join(", ")}, ratio ${(two!.rate / one!.rate).toFixed(2)}`);
}

/** Runs a job on both targets at the same time. */
async function runBoth(
  job: LoadJob,
  { server: { pid }, ports }: Subject,
  load: string,
): Promise<{ rate: number; cpuUs: number }> {
  const seconds = Number(values.seconds);
  const results = await Promise.all(TARGETS.map((name, index) => {
    const target = `iqn.2002-08.info.netmanager:${name}`;
    const side = { name: "ours", description: "", port: ports[index]!, target, lun: 0, pid } as const;
    return runLoad(job, { ...side, file: undefined, stop: () => Promise.resolve() }, { load, seconds });
  }));
  const rate = results.reduce((sum, { operationsPerSecond }) => sum + operationsPerSecond, 0);
  // Each program of the load has divided the time of the whole server by its own operations.
  const cpuUs = results.reduce(
    (sum, { operationsPerSecond, serverCpuUs = 0 }) =>
      sum + serverCpuUs * operationsPerSecond / results.length,
    0,
  ) / rate;
  return { rate, cpuUs };
}

async function residentMib(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024);
}
