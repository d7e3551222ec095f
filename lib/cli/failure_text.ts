import { STORAGE_FAULT_LABELS } from "../control/storage_fault_labels.ts";
import type { CommandFailure } from "../scsi/outcome/command_failure.ts";
import { STORAGE_FAULTS } from "../scsi/medium/storage_faults.ts";
import { formatDuration } from "./show_text.ts";
import type { StorageFailuresReport, TrafficReport } from "./status_report.ts";

/**
 * The labels of the commands that failed. Two kinds are no failures to a person: initiators try what a target may not
 * implement (ILLEGAL REQUEST), and each notice takes one command (UNIT ATTENTION).
 */
const COMMAND_FAILURE_LABELS: Readonly<
  Record<Exclude<CommandFailure, "illegalRequest" | "unitAttention">, string>
> = {
  notReady: "not ready",
  mediumError: "medium error",
  hardwareError: "hardware error",
  dataProtect: "data protect",
  copyAborted: "copy aborted",
  abortedCommand: "aborted command",
  miscompare: "miscompare",
  reservationConflict: "reservation conflict",
  busy: "busy",
  taskSetFull: "task set full",
  aborted: "aborted by the initiator",
  other: "other",
};

/** Formats the number of failed commands of each kind; undefined when there are none. */
export function describeFailedCommands(traffic: TrafficReport | null): string | undefined {
  const counts = Object.entries(COMMAND_FAILURE_LABELS).flatMap(([kind, label]) => {
    const count = traffic?.failures[kind as CommandFailure] ?? 0;
    return count === 0 ? [] : [`${label} ${count}`];
  });
  return counts.length === 0 ? undefined : `failed commands: ${counts.join(", ")}`;
}

/** Formats the failures of a LUN's storage: the number of each kind, and the last one; undefined without any. */
export function describeStorageFailures(
  failures: StorageFailuresReport | null,
  nowMs: number,
): string | undefined {
  if (failures === null || failures.last === null) return undefined;
  const { last: { reason, time }, ...counts } = failures;
  const numbers = STORAGE_FAULTS.filter((kind) => counts[kind] > 0)
    .map((kind) => `${STORAGE_FAULT_LABELS[kind]}: ${counts[kind]}`);
  return `${numbers.join(", ")}; the last ${formatAgo(time, nowMs)}: ${reason}`;
}

/** Formats the time since a moment: `2 m 5 s ago`. */
export function formatAgo(time: string, nowMs: number): string {
  return `${formatDuration(Math.max(nowMs - Date.parse(time), 0) / 1000)} ago`;
}
