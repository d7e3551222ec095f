import type { RequestContext, TrimReport, TrimRequest, UnitAddress } from "../control/control_requests.ts";
import { delay } from "../base/delay.ts";
import type { Config } from "../config/config.ts";
import { findDataExtents } from "../provision/copy/data_extents.ts";
import { STAT_BLOCK_BYTES } from "./measure_space.ts";
import type { Supervisor } from "./supervisor.ts";

/** Milliseconds between two progress messages. */
const PROGRESS_MS = 500;

/** Trims a LUN, and reports the progress to the client. Ends the trim when the client disconnects. */
export async function trim(
  supervisor: Supervisor,
  { bytesPerSecond, ...unit }: TrimRequest,
  { progress, signal }: RequestContext,
): Promise<TrimReport> {
  const port = supervisor.requests.supervisorOf(unit);
  const path = pathOf(supervisor.serving.config, unit);
  const allocatedBytesBefore = await allocatedBytesOf(path);
  const over = new AbortController();
  const onGone = (): void => {
    port.ask({ kind: "cancelTrim", ...unit }).catch(() => {});
  };
  signal.addEventListener("abort", onGone, { once: true });
  const report = async (): Promise<void> => {
    for (; !over.signal.aborted && !signal.aborted; await delay(PROGRESS_MS, over.signal)) {
      const figures = await port.ask({ kind: "trimProgress", ...unit }).catch(() => null);
      if (figures !== null && !over.signal.aborted) progress(JSON.stringify(figures));
    }
  };
  const reported = report();
  try {
    // What is written later than this takes space, but is hardly zero.
    const extents = allocatedBytesBefore === null ? null : await findDataExtents(path) ?? null;
    const figures = await port.ask({ kind: "trim", ...unit, extents, bytesPerSecond }, null);
    return { ...figures, allocatedBytesBefore, allocatedBytes: await allocatedBytesOf(path) };
  } finally {
    over.abort();
    signal.removeEventListener("abort", onGone);
    await reported;
  }
}

function pathOf({ targets }: Config, { target, lun }: UnitAddress): string {
  return targets.find(({ name }) => name === target)!.logicalUnits.find(({ number }) => number === lun)!.path;
}

/** Returns the space that a file takes; null for a block device. */
export async function allocatedBytesOf(path: string): Promise<number | null> {
  try {
    const { isFile, blocks } = await Deno.stat(path);
    return isFile ? (blocks ?? 0) * STAT_BLOCK_BYTES : null;
  } catch {
    // Deno inspects no devices; a file without access is reported by the trim.
    return null;
  }
}
