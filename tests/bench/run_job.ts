/** Runs one job on one side, once. */
import type { LoadJob, ToolJob } from "./jobs.ts";
import { run, type Side } from "./sides.ts";

/** The result of one job on one side. */
export interface Result {
  readonly operationsPerSecond: number;
  readonly p50Us?: number;
  readonly p99Us?: number;
  readonly serverCpuUs?: number;
  readonly initiatorCpuUs?: number;
}

/** Options for running a job. */
export interface RunOptions {
  /** The compiled `load.c`. */
  readonly load: string;
  readonly seconds: number;
}

/** Runs a job of `load.c`. */
export async function runLoad(job: LoadJob, side: Side, { load, seconds }: RunOptions): Promise<Result> {
  if (job.cold && side.file !== undefined) await dropCache(side.file);
  const pin = job.pinned ? ["taskset", "-c", "0"] : [];
  if (job.pinned) await run("taskset", ["-a", "-cp", "0", String(side.pid)]);
  const words = [
    side.port,
    job.through ? side.through! : side.target,
    side.lun,
    job.kind,
    job.blockBytes,
    job.depth,
    job.sessions,
    seconds,
  ];
  const rival = job.rivalDepth === undefined ? [] : [job.rivalDepth];
  const digests = job.digests ? ["DIGESTS=yes"] : [];
  const output = await run("env", [
    ...[`SERVER_PID=${side.pid}`, ...digests, ...pin, load, "127.0.0.1"],
    ...[...words, ...rival].map(String),
  ]);
  if (job.pinned) {
    await run("taskset", ["-a", "-cp", `0-${navigator.hardwareConcurrency - 1}`, String(side.pid)]);
  }
  const { operations, seconds: took, ...rest } = JSON.parse(output);
  return { operationsPerSecond: operations / took, ...rest };
}

/** Writes a file's pages to the disk and drops them from the page cache, which needs no root. */
export async function dropCache(file: string): Promise<void> {
  await run("sync", [file]);
  await run("dd", [`if=${file}`, "iflag=nocache", "count=0", "status=none"]);
}

/** Runs a job of a tool that this project did not write. */
export async function runTool(job: ToolJob, side: Side, seconds: number): Promise<Result> {
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

/** Returns the result with the median throughput, so its latencies belong to the same round. */
export function medianResult(results: readonly Result[]): Result {
  const sorted = results.toSorted((a, b) => a.operationsPerSecond - b.operationsPerSecond);
  return sorted[Math.floor(sorted.length / 2)]!;
}
