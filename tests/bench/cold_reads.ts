/**
 * `deno run --allow-all tests/bench/cold_reads.ts FILE`: how many 4 KiB of a file that is not in the page cache Deno
 * can read in a second, and does nothing else. Prints, for some numbers of reads at a time off the event loop, and for
 * reads on it (0 at a time): reads per second, and the processor time of each in microseconds. Each number gets 1 s.
 */
import { processorTicks } from "./process.ts";
import { dropCache } from "./run_job.ts";

const BLOCK_BYTES = 4096;
const DURATION_MS = 1_000;
const TICK_US = 10_000;

/** Reads at a time: 24 is what the target allows for a file. */
const DEPTHS = [0, 1, 8, 24, 32];

const [path] = Deno.args;
if (path === undefined) throw new Error("Usage: deno run --allow-all tests/bench/cold_reads.ts FILE");
const blocks = Math.floor(Deno.statSync(path).size / BLOCK_BYTES);

function seekToAny(file: Deno.FsFile): void {
  file.seekSync(Math.floor(Math.random() * blocks) * BLOCK_BYTES, Deno.SeekMode.Start);
}

function readOnLoop(endMs: number): number {
  using file = Deno.openSync(path!);
  const into = new Uint8Array(BLOCK_BYTES);
  let count = 0;
  for (; performance.now() < endMs; count++) {
    seekToAny(file);
    file.readSync(into);
  }
  return count;
}

/** Reads with a handle of its own, because the offset is the position of the handle. */
async function readLater(endMs: number): Promise<number> {
  using file = Deno.openSync(path!);
  const into = new Uint8Array(BLOCK_BYTES);
  let count = 0;
  for (; performance.now() < endMs; count++) {
    seekToAny(file);
    await file.read(into);
  }
  return count;
}

for (const depth of DEPTHS) {
  await dropCache(path);
  const ticks = processorTicks(Deno.pid);
  const endMs = performance.now() + DURATION_MS;
  const lanes = Array.from({ length: depth }, () => readLater(endMs));
  const counts = depth === 0 ? [readOnLoop(endMs)] : await Promise.all(lanes);
  const count = counts.reduce((sum, part) => sum + part, 0);
  const cpuUs = (processorTicks(Deno.pid) - ticks) * TICK_US / count;
  console.log(
    `${depth} at a time: ${Math.round(count / DURATION_MS * 1_000)}/s, ${cpuUs.toFixed(1)} us each`,
  );
}
