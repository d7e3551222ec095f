/** Disks that hang, and the processes that they block. */
import { runToolOk } from "./tools.ts";
import { until } from "./until.ts";

/** Waits until a thread of a process stands in the kernel, where no signal reaches it, and not for a moment only. */
export async function untilStuck(pid: number): Promise<void> {
  let looks = 0;
  await until(() => {
    looks = isStuck(pid) ? looks + 1 : 0;
    return looks >= 50;
  }, "the write hangs");
}

/** Returns whether a thread of a process stands in the kernel, where no signal reaches it. */
export function isStuck(pid: number): boolean {
  return [...Deno.readDirSync(`/proc/${pid}/task`)].some(({ name }) => {
    try {
      return /^\d+ \(.*\) D /s.test(Deno.readTextFileSync(`/proc/${pid}/task/${name}/stat`));
    } catch {
      // A thread that has ended.
      return false;
    }
  });
}

/** Returns a disk that hangs until it is disposed of. */
export async function freeze(folder: string): Promise<AsyncDisposable> {
  await runToolOk("fsfreeze", ["--freeze", folder]);
  return { [Symbol.asyncDispose]: async () => void await runToolOk("fsfreeze", ["--unfreeze", folder]) };
}
