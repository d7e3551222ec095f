import type { Config } from "../config/config.ts";
import { provision, type ProvisionOptions, type ProvisionReport } from "../provision/provision.ts";
import { isChange, type Step } from "../provision/step.ts";
import type { Context } from "./context.ts";
import { exitCodeOf, reportTold, toldToJson } from "./describe_told.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { Interruption } from "./interruption.ts";
import { loadConfig, reportDiagnostics } from "./load_config.ts";
import { OPTIONS, type OptionValues } from "./options.ts";
import { ProgressLine } from "./progress_line.ts";
import { stepPrinter, summarizeSteps } from "./step_table.ts";
import { totalsOf } from "./step_totals.ts";
import { tellServer, type Told } from "./tell_server.ts";

/**
 * `iscsi build`: makes the backing files what the conf says, and then has the running server take it over.
 *
 * With `--json`, an object with `file`, `diagnostics` (as `check` prints them), `dryRun`, `changed`, `steps`,
 * `promisedBytes` and `allocatedBytes` of all LUNs, and `live`: null where no server runs on the storage folder, or an
 * object with its `pid` (or null) and either `error`, for which it keeps what it has, or `unfinished`, why it is not
 * known what comes of it, or `changes`, each `description`, `consequence` and `sessions` (each `initiator`, `address`
 * and `target`), and `obstacle`, null or what takes `--force`. A step has a `kind` and a `path`, and where it is about
 * a file `sizeBytes` and `allocatedBytes`; kinds are `createFolder`, `restrictFolder`, `recordIdentities`,
 * `createFile`, `growFile` (with `fromBytes`), `keepFile`, `useDevice` (with `deviceBytes`) and `keepUnusedFile`.
 */
export async function build(context: Context, options: OptionValues): Promise<ExitCode> {
  return await buildAndTell(context, options, { isServedNext: false });
}

/** The same for who serves the conf next, and need not be told to. */
export async function buildAndTell(
  context: Context,
  options: OptionValues,
  { isServedNext }: { readonly isServedNext: boolean },
): Promise<ExitCode> {
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
  const report = await provisionUnlessInterrupted(config, { dryRun: options.dryRun, onStep });
  if (report === undefined) {
    progress.clear();
    context.stderr.write("iscsi: Interrupted: run it again for the rest\n");
    return EXIT_CODES.interrupted.code;
  }
  const isRefused = report.errors.length > 0;
  if (!options.json && !isRefused) context.stdout.write(summarizeSteps(report.steps, options.dryRun));
  reportDiagnostics([...report.errors, ...report.warnings], context);
  const { conf: file, force, dryRun } = options;
  const told = isRefused ? undefined : await tellServer(config.storage, { file, force, dryRun }, context);
  if (options.json) {
    const warnings = [...diagnostics, ...report.warnings];
    context.stdout.write(toJson(options, { ...report, warnings }, told));
  }
  if (told === undefined) {
    if (!report.steps.some(isChange)) context.stderr.write("iscsi: Nothing was changed\n");
    return EXIT_CODES.failed.code;
  }
  if (told.kind === "absent") {
    if (!options.json && !isServedNext) tellOfAbsence(config, options, context);
    return EXIT_CODES.done.code;
  }
  if (!options.json) reportTold(told, config.storage, context);
  // A server that keeps its old configuration: whoever changed it must not think that the change is live.
  return exitCodeOf(told);
}

/** Provisions, or ends after a step when the user interrupts it, and returns nothing then. */
async function provisionUnlessInterrupted(
  config: Config,
  options: ProvisionOptions,
): Promise<ProvisionReport | undefined> {
  using interruption = new Interruption();
  const { signal } = interruption;
  const report = await provision(config, { ...options, signal });
  return signal.aborted ? undefined : report;
}

/** Tells that nobody serves what was built, and unless nothing was, what to do about it. */
function tellOfAbsence(
  { file, storage }: Config,
  { dryRun }: OptionValues,
  { stdout, stderr }: Context,
): void {
  const absence = `No server is running on "${storage}"`;
  if (dryRun) return stdout.write(`${absence}\n`);
  const serve = file === OPTIONS.conf.default ? "iscsi serve" : `iscsi serve --conf ${file}`;
  stderr.write(`iscsi: ${absence}: run "${serve}", or "systemctl start iscsi" where its unit is installed\n`);
}

function toJson(options: OptionValues, report: ProvisionReport, told: Told | undefined): string {
  const { promisedBytes, allocatedBytes } = totalsOf(report.steps);
  const document = {
    file: options.conf,
    diagnostics: [...report.errors, ...report.warnings],
    dryRun: options.dryRun,
    changed: !options.dryRun && report.steps.some(isChange),
    steps: report.steps.map(stepToJson),
    promisedBytes,
    allocatedBytes,
    live: toldToJson(told),
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
