import { formatSize } from "../config/size.ts";
import { isChange, type Step } from "../provision/step.ts";
import type { TextWriter } from "./context.ts";
import { totalsOf } from "./step_totals.ts";

/** The labels of the kinds of steps. */
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

/** Returns a function that prints a line for each step, under a heading. */
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
      return row(label, formatSize(step.sizeBytes), "", pathOf(step));
    case "keepFile":
      return row(label, formatSize(step.sizeBytes), formatSize(step.allocatedBytes), pathOf(step));
    case "keepUnusedFile":
      return row(label, formatSize(step.sizeBytes), formatSize(step.allocatedBytes), step.path);
  }
}

/** Returns the path, with a note where a file that was already there becomes a disk that initiators do not know. */
function pathOf({ path, isNew = false }: { readonly path: string; readonly isNew?: boolean }): string {
  return isNew ? `${path} (new identity)` : path;
}

function row(label: string, promised: string, allocated: string, path: string): string {
  return `${label.padEnd(15)}  ${promised.padStart(10)}  ${allocated.padStart(10)}  ${path}\n`;
}

/**
 * Formats the lines under the steps: the totals, whether anything changed, and the remedy for unused files.
 *
 * @param options.unused the paths of the unused files that are mentioned
 */
export function summarizeSteps(
  steps: readonly Step[],
  { dryRun, unused }: { readonly dryRun: boolean; readonly unused: readonly string[] },
): string {
  const { logicalUnits, promisedBytes, allocatedBytes } = totalsOf(steps);
  const units = count(logicalUnits, "LUN", "LUNs");
  const total = row("total", formatSize(promisedBytes), formatSize(allocatedBytes), units);
  const hint = unused.length === 0
    ? ""
    : `${count(unused.length, "unused file", "unused files")} kept; "iscsi forget FILE" deletes one\n`;
  if (!steps.some(isChange)) return `${total}Nothing to do\n${hint}`;
  return dryRun ? `${total}Dry run: nothing was done\n${hint}` : `${total}${hint}`;
}

function count(number: number, singular: string, plural: string): string {
  return `${number} ${number === 1 ? singular : plural}`;
}
