import { ProvisionError } from "./provision_error.ts";
import { startHelper } from "./run_helper.ts";

/** A lock of a block device, which a program holds for as long as this process lives. */
export interface DeviceLock {
  /** Gives the lock back. */
  release(): Promise<void>;
}

/** What `flock` ends with when the lock is taken. */
const CONFLICT_CODE = 75;

/** udev locks a device while it looks at it, which takes a moment. */
const TIMEOUT_SECONDS = 1;

/**
 * What runs under the lock: says that it is there, and ends when its input does. What ends the server in order, such
 * as Ctrl-C or systemd, must not end it before.
 */
const HOLD = 'trap "" HUP INT TERM; echo; exec cat';

/** The lock; `taken` when another process has it; else why there is none. */
export type DeviceLockResult = DeviceLock | "taken" | { readonly fault: string };

/** Locks a block device at its own node, which Deno opens for nobody: `flock` does. */
export async function lockDevice(path: string, isExclusive: boolean): Promise<DeviceLockResult> {
  const args = [
    ...[isExclusive ? "--exclusive" : "--shared", "--timeout", String(TIMEOUT_SECONDS)],
    ...["--conflict-exit-code", String(CONFLICT_CODE), "--no-fork", path, "sh", "-c", HOLD],
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
  return code === CONFLICT_CODE ? "taken" : { fault: stderr.trimEnd() };
}
