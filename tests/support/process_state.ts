/** Processes that are no children of the test. */
import { untilAsked } from "./until.ts";

/** Returns whether a process runs; one that has ended may wait for its parent. */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX] /s.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

/** Kills a process that runs. */
export function killIfAlive(pid: number): void {
  if (isAlive(pid)) Deno.kill(pid, "SIGKILL");
}

/** Ends a process in order, and waits until it has ended: a folder that it uses can be removed only then. */
export async function endAndWait(pid: number): Promise<void> {
  Deno.kill(pid, "SIGTERM");
  await untilAsked(() => Promise.resolve(!isAlive(pid)), `process ${pid} has ended`);
}
