import { formatSize } from "../config/size.ts";
import { isChange, type Step } from "../provision/step.ts";
import type { TextWriter } from "./context.ts";
import { totalsOf } from "./step_totals.ts";

/** What each kind of step is called. */
const STEP_LABELS = {
  createFolder: "create folder",
  restrictFolder: "restrict folder",
  recordIdentities: "record",
  confirmFiles: "confirm",
  createFile: "create",
  growFile: "grow",
  keepFile: "keep",
  useDevice: "use device",
  keepUnusedFile: "no longer used",
} as const satisfies Record<Step["kind"], string>;

/** Prints a line for each step that it is called with, under a head line. */
export function stepPrinter(writer: TextWriter): (step: Step) => void {
  let isFirst = true;
  return function printStep(step): void {
    if (isFirst) writer.write(row("STEP", "PROMISED", "ALLOCATED", "PATH"));
    isFirst = false;
    writer.write(stepRow(step));
  };
}

function stepRow(step: Step): string {
  const label = STEP_LABELS[step.kind];
  switch (step.kind) {
    case "createFolder":
    case "restrictFolder":
      return row(label, "", "", step.path);
    case "recordIdentities": {
      const added = count(step.added.length, "new identity", "new identities");
      return row(label, "", "", `${step.path} (${added})`);
    }
    case "confirmFiles":
      return row(label, "", "", `${step.path} (${count(step.files.length, "file", "files")})`);
    case "createFile":
      return row(label, formatSize(step.sizeBytes), formatSize(0), step.path);
    case "growFile": {
      const path = `${step.path} (from ${formatSize(step.fromBytes)})`;
      return row(label, formatSize(step.sizeBytes), formatSize(step.allocatedBytes), path);
    }
    case "useDevice":
      return row(label, formatSize(step.sizeBytes), "", step.path);
    case "keepFile":
    case "keepUnusedFile":
      return row(label, formatSize(step.sizeBytes), formatSize(step.allocatedBytes), step.path);
  }
}

function row(label: string, promised: string, allocated: string, path: string): string {
  return `${label.padEnd(15)}  ${promised.padStart(10)}  ${allocated.padStart(10)}  ${path}\n`;
}

/** The lines under the steps: what they add up to, and whether anything changed. */
export function summarizeSteps(steps: readonly Step[], dryRun: boolean): string {
  const { logicalUnits, promisedBytes, allocatedBytes } = totalsOf(steps);
  const units = count(logicalUnits, "LUN", "LUNs");
  const total = row("total", formatSize(promisedBytes), formatSize(allocatedBytes), units);
  if (!steps.some(isChange)) return `${total}All files are as the conf says\n`;
  return dryRun ? `${total}Dry run: nothing was done\n` : total;
}

function count(number: number, singular: string, plural: string): string {
  return `${number} ${number === 1 ? singular : plural}`;
}
