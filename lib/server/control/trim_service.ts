import type { TrimFigures } from "../../scsi/medium/trimmer.ts";
import type { RequestContext, TrimReport, TrimRequest, UnitAddress } from "../../control/control_requests.ts";
import { delay } from "../../base/delay.ts";
import type { Config } from "../../config/config.ts";
import { findDataExtents } from "../../provision/copy/data_extents.ts";
import { STAT_BLOCK_BYTES } from "../storage/measure_space.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";

/** Milliseconds between two progress messages. */
const PROGRESS_MS = 500;

/** The trims that are made for clients. */
export class TrimService {
  readonly #supervisor: Pick<Supervisor, "requests" | "serving">;
  #count = 0;
  #examinedBytes = 0;
  #releasedBytes = 0;

  constructor(supervisor: Pick<Supervisor, "requests" | "serving">) {
    this.#supervisor = supervisor;
  }

  /** The number of trims that run, and the bytes that all trims have examined and given back. */
  get figures(): { readonly count: number; readonly examinedBytes: number; readonly releasedBytes: number } {
    return { count: this.#count, examinedBytes: this.#examinedBytes, releasedBytes: this.#releasedBytes };
  }

  /** Trims a LUN, and reports the progress to the client. Ends the trim when the client disconnects. */
  async trim(
    { bytesPerSecond, ...unit }: TrimRequest,
    { progress, signal }: RequestContext,
  ): Promise<TrimReport> {
    const port = this.#supervisor.requests.supervisorOf(unit);
    const path = pathOf(this.#supervisor.serving.config, unit);
    const allocatedBytesBefore = await allocatedBytesOf(path);
    const over = new AbortController();
    const onGone = (): void => {
      port.ask({ kind: "cancelTrim", ...unit }).catch(() => {});
    };
    signal.addEventListener("abort", onGone, { once: true });
    const count = this.#counter();
    const report = async (): Promise<void> => {
      for (; !over.signal.aborted && !signal.aborted; await delay(PROGRESS_MS, over.signal)) {
        const figures = await port.ask({ kind: "trimProgress", ...unit }).catch(() => null);
        if (figures === null || over.signal.aborted) continue;
        count(figures);
        progress(JSON.stringify(figures));
      }
    };
    let reported = Promise.resolve();
    this.#count++;
    try {
      // What is written later than this takes space, but is hardly zero.
      const extents = allocatedBytesBefore === null ? null : await findDataExtents(path) ?? null;
      const trimmed = port.ask({ kind: "trim", ...unit, extents, bytesPerSecond }, null);
      reported = report();
      const figures = await trimmed;
      count(figures);
      return { ...figures, allocatedBytesBefore, allocatedBytes: await allocatedBytesOf(path) };
    } finally {
      this.#count--;
      over.abort();
      signal.removeEventListener("abort", onGone);
      await reported;
    }
  }

  /** Returns a function that adds the progress of one trim to the figures. */
  #counter(): (progress: Pick<TrimFigures, "examinedBytes" | "releasedBytes">) => void {
    let [examined, released] = [0, 0];
    return ({ examinedBytes, releasedBytes }) => {
      this.#examinedBytes += Math.max(0, examinedBytes - examined);
      this.#releasedBytes += Math.max(0, releasedBytes - released);
      [examined, released] = [examinedBytes, releasedBytes];
    };
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
