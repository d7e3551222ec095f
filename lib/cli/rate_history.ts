import type { StatusReport } from "./status_report.ts";

/** The time that the history covers. */
const SPAN_MS = 60_000;

/** The commands of a LUN in each second of an interval. */
interface Sample {
  readonly fromMs: number;
  readonly toMs: number;
  readonly commandsPerSecond: number;
}

/** The rates of each LUN in the last minute, from the reports of `iscsi status --watch`. */
export class RateHistory {
  readonly #samples = new Map<string, readonly Sample[]>();

  /** Adds a report; one without rates adds nothing. */
  add({ targets, intervalSeconds }: StatusReport, nowMs: number): void {
    if (intervalSeconds === null) return;
    for (const { name, logicalUnits } of targets) {
      for (const { lun, traffic } of logicalUnits) {
        const rates = traffic?.rates ?? null;
        if (rates === null) continue;
        const { commandsPerSecond } = rates.total;
        const sample = { fromMs: nowMs - intervalSeconds * 1000, toMs: nowMs, commandsPerSecond };
        const key = keyOf(name, lun);
        const kept = (this.#samples.get(key) ?? []).filter(({ toMs }) => toMs > nowMs - SPAN_MS);
        this.#samples.set(key, [...kept, sample]);
      }
    }
  }

  /** Returns the rate in the middle of each of so many equal parts of the last minute, the oldest first. */
  lastMinute(target: string, lun: number, { nowMs, parts }: {
    readonly nowMs: number;
    readonly parts: number;
  }): readonly (number | undefined)[] {
    const samples = this.#samples.get(keyOf(target, lun)) ?? [];
    return Array.from({ length: parts }, (_, index) => {
      const atMs = nowMs - SPAN_MS + (index + 0.5) * SPAN_MS / parts;
      return samples.find(({ fromMs, toMs }) => fromMs < atMs && atMs <= toMs)?.commandsPerSecond;
    });
  }
}

function keyOf(target: string, lun: number): string {
  return `${lun} ${target}`;
}
