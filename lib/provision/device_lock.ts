import { ProvisionError } from "./provision_error.ts";
import { FLOCK_CONFLICT_CODE, startHelper } from "./run_helper.ts";

/** A lock of a block device. A program holds it until this process ends. */
export interface DeviceLock {
  /** Releases the lock. */
  release(): Promise<void>;
}

/** udev locks a device briefly while it probes it. */
const TIMEOUT_SECONDS = 1;

/**
 * The script that runs under the lock: it writes a line, then ends when its input ends. It ignores the signals of an
 * orderly shutdown, because the server, which gets them too, still needs the lock.
 */
const HOLD = 'trap "" HUP INT TERM; echo; exec cat';

/** The lock; `taken` when another process holds it; or the fault when it cannot be locked. */
export type DeviceLockResult = DeviceLock | "taken" | { readonly fault: string };

/** Locks a block device at its own node. Deno does not open device nodes, so `flock` does. */
export async function lockDevice(path: string, isExclusive: boolean): Promise<DeviceLockResult> {
  const args = [
    ...[isExclusive ? "--exclusive" : "--shared", "--timeout", String(TIMEOUT_SECONDS)],
    ...["--conflict-exit-code", String(FLOCK_CONFLICT_CODE), "--no-fork", path, "sh", "-c", HOLD],
  ];
  try {
    return await untilHeld(startHelper("flock", args));
  } catch (error) {
    if (error instanceof ProvisionError) return { fault: error.message };
    throw error;
  }
}

async function untilHeld(child: ReturnType<typeof startHelper>): Promise<DeviceLockResult> {
  const stdout = child.stdout.getReader();
  const { done } = await stdout.read();
  if (!done) {
    return {
      release: async () => {
        await child.stdin.close();
        await Promise.all([child.status, stdout.cancel(), child.stderr.cancel()]);
      },
    };
  }
  const [{ code }, stderr] = await Promise.all([child.status, new Response(child.stderr).text()]);
  await child.stdin.close().catch(() => {});
  return code === FLOCK_CONFLICT_CODE ? "taken" : { fault: stderr.trimEnd() };
}
