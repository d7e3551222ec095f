import { provision, type ProvisionReport } from "../provision/provision.ts";
import { stateFolderOf } from "../provision/state_folder.ts";
import { isChange, type Step } from "../provision/step.ts";
import { type LockHolder, StorageLock } from "../provision/storage_lock.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { loadConfig, reportDiagnostics } from "./load_config.ts";
import type { OptionValues } from "./options.ts";
import { ProgressLine } from "./progress_line.ts";
import { stepPrinter, summarizeSteps } from "./step_table.ts";
import { totalsOf } from "./step_totals.ts";

/**
 * `iscsi build`: makes the backing files what the conf says.
 *
 * With `--json`, an object with `file`, `diagnostics` (as `check` prints them), `dryRun`, `changed`, `steps`,
 * `promisedBytes` and `allocatedBytes` of all LUNs, and `server`: null, or an object with the `pid` (or null) of the
 * server that is running on the storage folder. A step has a `kind` and a `path`, and where it is about a file
 * `sizeBytes` and `allocatedBytes`; kinds are `createFolder`, `restrictFolder`, `recordIdentities`, `createFile`,
 * `growFile` (with `fromBytes`), `keepFile`, `useDevice` (with `deviceBytes`) and `keepUnusedFile`.
 */
export async function build(context: Context, options: OptionValues): Promise<ExitCode> {
  const loaded = loadConfig(options.conf, context);
  if (loaded.config === undefined) {
    if (options.json && loaded.exitCode === EXIT_CODES.confErrors.code) {
      const nothing = { steps: [], errors: loaded.diagnostics, warnings: [] };
      context.stdout.write(toJson(options, nothing, undefined));
    }
    return loaded.exitCode;
  }
  const { config, diagnostics } = loaded;
  const printStep = options.json ? () => {} : stepPrinter(context.stdout);
  using progress = new ProgressLine(context);
  const onStep = (step: Step, left: number): void => {
    progress.clear();
    printStep(step);
    if (left > 0) progress.show(left === 1 ? "1 more step" : `${left} more steps`);
  };
  const report = await provision(config, { dryRun: options.dryRun, onStep });
  reportDiagnostics([...report.errors, ...report.warnings], context);
  const isRefused = report.errors.length > 0;
  const server = isRefused ? undefined : StorageLock.holder(stateFolderOf(config.storage), "serve");
  if (options.json) {
    const warnings = [...diagnostics, ...report.warnings];
    context.stdout.write(toJson(options, { ...report, warnings }, server));
  }
  if (isRefused) {
    if (!report.steps.some(isChange)) context.stderr.write("iscsi: Nothing was changed\n");
    return EXIT_CODES.failed.code;
  }
  if (!options.json) context.stdout.write(summarizeSteps(report.steps, options.dryRun));
  if (server !== undefined && !options.dryRun) reportServer(config.storage, server, context);
  return EXIT_CODES.done.code;
}

/** A running server has read its conf long ago; whoever changed it must not think that the change is live. */
function reportServer(storage: string, { holderPid }: LockHolder, context: Context): void {
  const process = holderPid === undefined ? "" : ` (pid ${holderPid})`;
  context.stderr.write(
    `iscsi: The server running on "${storage}"${process} keeps its old configuration until it is restarted\n`,
  );
}

function toJson(options: OptionValues, report: ProvisionReport, server: LockHolder | undefined): string {
  const { promisedBytes, allocatedBytes } = totalsOf(report.steps);
  const document = {
    file: options.conf,
    diagnostics: [...report.errors, ...report.warnings],
    dryRun: options.dryRun,
    changed: !options.dryRun && report.steps.some(isChange),
    steps: report.steps.map(stepToJson),
    promisedBytes,
    allocatedBytes,
    server: server === undefined ? null : { pid: server.holderPid ?? null },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function stepToJson(step: Step): unknown {
  switch (step.kind) {
    case "createFolder":
    case "restrictFolder":
      return { kind: step.kind, path: step.path };
    case "recordIdentities":
      return { kind: step.kind, path: step.path, added: step.added };
    case "createFile":
      return { ...step, allocatedBytes: 0 };
    default:
      return step;
  }
}
