/** Figures of a process from the kernel (proc(5)), and statistics over several measurements. */

/** Returns the processor time of a process in clock ticks, usually of 10 ms. */
export function processorTicks(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "").split(" ");
  // utime and stime are fields 14 and 15, of which the third is the first here.
  return Number(fields[11]) + Number(fields[12]);
}

/** Returns the memory of a process: its current (`VmRSS`) or its peak (`VmHWM`). */
export function memoryMebibytes(pid: number, field: "VmRSS" | "VmHWM"): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)![1]) / 1024;
}

/** Resets the peak memory of a process to its current memory. */
export function forgetPeakMemory(pid: number): void {
  Deno.writeTextFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** Returns the median. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
