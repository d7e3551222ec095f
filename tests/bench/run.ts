/**
 * `deno task bench [--json] [--rounds N] [--seconds S] [--only TEXT]`
 *
 * Runs every job on every side in turn, round after round, and prints the median of each side, the ratios, processor
 * time of the server per operation, and latencies. Absolute figures mean little on a shared machine; the ratios come
 * from one run, minutes apart at most.
 */
import { parseArgs } from "@std/cli/parse-args";
import { join } from "@std/path";
import { LOAD_JOBS, type LoadJob, TOOL_JOBS, type ToolJob } from "./jobs.ts";
import { compileC, has, run, type Side, startBound, startOurs, startTgt } from "./sides.ts";

const FILE_BYTES = 512 * 1024 * 1024;

/** What one job came to on one side. */
interface Result {
  readonly operationsPerSecond: number;
  readonly p50Us?: number;
  readonly p99Us?: number;
  readonly serverCpuUs?: number;
  readonly initiatorCpuUs?: number;
}

interface Row {
  readonly job: string;
  readonly wanted: { readonly tgt?: number; readonly bound?: number };
  readonly sides: Readonly<Record<string, Result>>;
}

const args = parseArgs(Deno.args, {
  boolean: ["json"],
  string: ["rounds", "seconds", "only"],
  default: { rounds: "5", seconds: "2", only: "" },
});
const rounds = Number(args.rounds);
const seconds = Number(args.seconds);

await main();

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "iscsi-bench-" });
  const sides: Side[] = [];
  const missing: string[] = [];
  try {
    const load = await compileC("load", folder);
    // How the kernel holds a file in its cache depends on how it was written: both copies are made alike.
    const original = join(folder, "original");
    await run("dd", [
      "if=/dev/urandom",
      `of=${original}`,
      "bs=1M",
      `count=${FILE_BYTES >> 20}`,
      "status=none",
    ]);
    await run("cp", [original, join(folder, "ours")]);
    sides.push(await startOurs(folder, join(folder, "ours")));
    if (await has("tgtd")) {
      await run("cp", [original, join(folder, "tgt")]);
      sides.push(await startTgt(join(folder, "tgt")));
    } else missing.push("tgt: Debian package tgt is not installed");
    sides.push(await startBound(folder, FILE_BYTES));
    for (const tool of ["iscsi-perf", "qemu-img", "taskset"]) {
      if (!await has(tool)) missing.push(`${tool} is not installed`);
    }
    const rows = await measureAll(sides, load);
    report(sides, rows, missing);
  } finally {
    for (const side of sides) await side.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

async function measureAll(sides: readonly Side[], load: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const job of LOAD_JOBS.filter(({ name }) => name.includes(args.only))) {
    const able = sides.filter(({ name }) => !job.digests || name !== "bound");
    rows.push(await measure(job.name, job.wanted, able, (side) => runLoad(load, job, side)));
  }
  // The last job left some of the files out of the page cache.
  for (const { file } of sides) {
    if (file !== undefined) await run("dd", [`if=${file}`, "of=/dev/null", "bs=1M"]);
  }
  for (const job of TOOL_JOBS.filter(({ name }) => name.includes(args.only))) {
    if (!await has(job.tool)) continue;
    rows.push(await measure(job.name, {}, sides, (side) => runTool(job, side)));
  }
  return rows;
}

async function measure(
  name: string,
  wanted: Row["wanted"],
  sides: readonly Side[],
  once: (side: Side) => Promise<Result>,
): Promise<Row> {
  const results = new Map<Side, Result[]>(sides.map((side) => [side, []]));
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) {
      await Deno.stderr.write(new TextEncoder().encode(`\r\x1b[K${name}: round ${round + 1}, ${side.name}`));
      results.get(side)!.push(await once(side));
    }
  }
  await Deno.stderr.write(new TextEncoder().encode("\r\x1b[K"));
  return {
    job: name,
    wanted,
    sides: Object.fromEntries(sides.map((side) => [side.name, median(results.get(side)!)])),
  };
}

/** The result with the median throughput, so that its latencies belong to it. */
function median(results: readonly Result[]): Result {
  const sorted = results.toSorted((a, b) => a.operationsPerSecond - b.operationsPerSecond);
  return sorted[Math.floor(sorted.length / 2)]!;
}

async function runLoad(load: string, job: LoadJob, side: Side): Promise<Result> {
  if (job.cold && side.file !== undefined) await dropCache(side.file);
  const pin = job.pinned ? ["taskset", "-c", "0"] : [];
  if (job.pinned) await run("taskset", ["-a", "-cp", "0", String(side.pid)]);
  const command = [
    ...pin,
    load,
    "127.0.0.1",
    String(side.port),
    side.target,
    String(side.lun),
    job.kind,
    String(job.blockBytes),
    String(job.depth),
    String(job.sessions),
    String(seconds),
    ...(job.rivalDepth === undefined ? [] : [String(job.rivalDepth)]),
  ];
  const digests = job.digests ? ["DIGESTS=yes"] : [];
  const output = await run("env", [`SERVER_PID=${side.pid}`, ...digests, ...command]);
  if (job.pinned) {
    await run("taskset", ["-a", "-cp", `0-${navigator.hardwareConcurrency - 1}`, String(side.pid)]);
  }
  const { operations, seconds: took, ...rest } = JSON.parse(output);
  return { operationsPerSecond: operations / took, ...rest };
}

/** Drops a file's clean pages from the page cache, which needs no root. */
async function dropCache(file: string): Promise<void> {
  await run("sync", [file]);
  await run("dd", [`if=${file}`, "iflag=nocache", "count=0", "status=none"]);
}

async function runTool(job: ToolJob, side: Side): Promise<Result> {
  const url = `iscsi://127.0.0.1:${side.port}/${side.target}/${side.lun}`;
  if (job.tool === "iscsi-perf") {
    const output = await run("iscsi-perf", ["-t", String(seconds), ...job.args, url]);
    const average = [...output.matchAll(/iops average (\d+)/g)].at(-1)![1];
    return { operationsPerSecond: Number(average) };
  }
  const output = await run("qemu-img", ["bench", "-f", "raw", "-t", "none", ...job.args, url]);
  const count = Number(job.args[job.args.indexOf("-c") + 1]);
  return { operationsPerSecond: count / Number(/completed in ([\d.]+) seconds/.exec(output)![1]) };
}

function report(sides: readonly Side[], rows: readonly Row[], missing: readonly string[]): void {
  if (args.json) {
    console.log(
      JSON.stringify(
        { sides: sides.map(({ name, description }) => ({ name, description })), rows, missing },
        null,
        2,
      ),
    );
    return;
  }
  for (const { name, description } of sides) console.log(`${name.padEnd(6)} ${description}`);
  console.log(`${rounds} rounds of ${seconds} s; the median round of each side\n`);
  const header = [
    "job",
    "ours/s",
    "tgt/s",
    "bound/s",
    "x tgt",
    "want",
    "x bound",
    "want",
    "us CPU",
    "tgt",
    "p50/p99 us",
    "tgt",
  ];
  const table = [header, ...rows.map(cells)];
  const widths = header.map((_, column) => Math.max(...table.map((line) => line[column]!.length)));
  for (const line of table) {
    console.log(
      line.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  "),
    );
  }
  for (const line of missing) console.log(`not measured: ${line}`);
}

function cells({ job, wanted, sides }: Row): string[] {
  const { ours, tgt, bound } = sides;
  const rate = (result: Result | undefined): string =>
    result === undefined ? "-" : result.operationsPerSecond.toFixed(0);
  const ratio = (other: Result | undefined): string =>
    other === undefined ? "-" : (ours!.operationsPerSecond / other.operationsPerSecond).toFixed(2);
  const cpu = (result: Result | undefined): string => result?.serverCpuUs?.toFixed(1) ?? "-";
  const latency = (result: Result | undefined): string =>
    result?.p50Us === undefined ? "-" : `${result.p50Us}/${result.p99Us}`;
  return [
    job,
    rate(ours),
    rate(tgt),
    rate(bound),
    ratio(tgt),
    wanted.tgt?.toFixed(2) ?? "",
    ratio(bound),
    wanted.bound?.toFixed(2) ?? "",
    cpu(ours),
    cpu(tgt),
    latency(ours),
    latency(tgt),
  ];
}
