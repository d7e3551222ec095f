/**
 * Measures how the cost of one operation of a structure in the target worker grows with what the structure holds. Each
 * structure is a row of a table (`store_structures.ts`, `scsi_structures.ts`, `iscsi_structures.ts`).
 */
import { ISCSI_STRUCTURES } from "./iscsi_structures.ts";
import type { Progress } from "./progress.ts";
import { SCSI_STRUCTURES } from "./scsi_structures.ts";
import { STORE_STRUCTURES } from "./store_structures.ts";
import type { Structure } from "./structure.ts";
import { formatTable } from "./table.ts";

/** The time of an operation, by the number that the structure holds. */
export interface StructureGrowth {
  readonly name: string;
  readonly counts: readonly number[];
  /** Nanoseconds, for each of the counts. */
  readonly nanoseconds: readonly number[];
}

const STRUCTURES: readonly Structure[] = [...STORE_STRUCTURES, ...SCSI_STRUCTURES, ...ISCSI_STRUCTURES];

/** Milliseconds of one measurement, and of the operations before it, until which the compiler has done its work. */
const ROUND_MS = 10;
const WARM_UP_MS = 60;

/** Measures the structures with names that match; the least of several rounds counts. */
export async function measureStructures(
  pattern: RegExp,
  rounds: number,
  progress: Progress,
): Promise<StructureGrowth[]> {
  const rows: StructureGrowth[] = [];
  for (const { name, counts, prepare } of STRUCTURES.filter(({ name }) => pattern.test(name))) {
    const nanoseconds: number[] = [];
    for (const count of counts) {
      progress.show(name, `${count}`);
      const operate = await prepare(count);
      await nanosecondsOf(operate, WARM_UP_MS);
      const times: number[] = [];
      for (let round = 0; round < rounds; round++) times.push(await nanosecondsOf(operate, ROUND_MS));
      nanoseconds.push(Math.min(...times));
    }
    rows.push({ name, counts, nanoseconds });
  }
  return rows;
}

/** Returns the mean time of an operation that is repeated for a while. */
async function nanosecondsOf(operate: () => unknown, milliseconds: number): Promise<number> {
  const began = performance.now();
  for (let operations = 1;; operations++) {
    const result = operate();
    if (result instanceof Promise) await result;
    // Reading the clock takes as long as a small operation.
    if (operations % 16 !== 0) continue;
    const elapsed = performance.now() - began;
    if (elapsed >= milliseconds) return elapsed * 1e6 / operations;
  }
}

/** Formats a table with a line for each structure. */
export function formatStructures(rows: readonly StructureGrowth[]): string {
  return formatTable([
    ["nanoseconds of an operation", "n", "at n", "at 10 n", "at 100 n"],
    ...rows.map(({ name, counts, nanoseconds }) => [
      name,
      counts.map((count) => count.toLocaleString("en")).join(" / "),
      ...nanoseconds.map((time) => Math.round(time).toLocaleString("en")),
    ]),
  ]);
}
