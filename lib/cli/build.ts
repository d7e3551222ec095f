import type { Config } from "../config/config.ts";
import { ProvisionError } from "../provision/provision_error.ts";
import { provision, type ProvisionReport } from "../provision/provision.ts";
import { isChange, type Step } from "../provision/step.ts";
import type { Context } from "./context.ts";
import { exitCodeOf, reloadToJson, reportReload } from "./format_reload.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { Interruption } from "./interruption.ts";
import { loadConfig, reportDiagnostics } from "./load_config.ts";
import { OPTIONS, type OptionValues } from "./options.ts";
import { ProgressLine } from "./progress_line.ts";
import { stepPrinter, summarizeSteps } from "./step_table.ts";
import { totalsOf } from "./step_totals.ts";
import { type ReloadOutcome, requestReload } from "./request_reload.ts";

/**
 * `iscsi build`: makes the backing files what the conf says, and then has the running server take it over.
 *
 * With `--json`, an object with `file`, `diagnostics` (as `check` prints them), `dryRun`, `changed`, `steps`, `failure`
 * (null, or why the rest was not done), `promisedBytes` and `allocatedBytes` of all LUNs, and `live`: null where no
 * server runs on the storage folder, or was not told, or an object with its `pid` (or null) and either `error`, for
 * which it keeps what it has, or `unfinished`, why it is not known what comes of it, or `changes`, each `description`,
 * `consequence` and `sessions` (each `initiator`, `address` and `target`), and `obstacle`, null or what takes
 * `--force`. A step has a `kind` and a `path`, and where it is about a file `sizeBytes` and `allocatedBytes`; kinds are
 * `createFolder`, `restrictFolder`, `recordIdentities` (with `added`), `createFile`, `growFile` (with `fromBytes`),
 * `keepFile`, `useDevice` (with `deviceBytes`), `confirmFiles` (with `files`) and `keepUnusedFile`.
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
      const report = { steps: [], errors: loaded.diagnostics, warnings: [] };
      context.stdout.write(toJson(options, report, {}));
    }
    return loaded.exitCode;
  }
  const { config, diagnostics } = loaded;
  const { report, isInterrupted } = await provisionUnlessInterrupted(config, options, context);
  reportProvision(report, options, context);
  const isDone = report.errors.length === 0 && report.failure === undefined;
  const outcome: Outcome = isDone ? await tell(config, options, context) : {
    failure: report.failure,
    exitCode: isInterrupted ? EXIT_CODES.interrupted.code : EXIT_CODES.failed.code,
  };
  const { told, failure, exitCode } = outcome;
  if (failure !== undefined) context.stderr.write(`iscsi: ${failure}\n`);
  if (options.json) {
    const warnings = [...diagnostics, ...report.warnings];
    context.stdout.write(toJson(options, { ...report, warnings }, outcome));
  } else if (told?.kind === "absent") {
    if (!isServedNext) tellOfAbsence(config, options, context);
  } else if (told !== undefined) {
    reportReload(told, config.storage, context);
  }
  return exitCode;
}

/** How a build ends. */
interface Outcome {
  /** Absent when no server was told. */
  readonly told?: ReloadOutcome;
  /** Why not all was done; undefined when all was, or when what is wrong has been reported. */
  readonly failure?: string | undefined;
  readonly exitCode: ExitCode;
}

/** Prints what has come of provisioning, besides its steps. */
function reportProvision(
  { steps, errors, warnings, failure }: ProvisionReport,
  { json, dryRun }: OptionValues,
  context: Context,
): void {
  const isRefused = errors.length > 0;
  if (!json && !isRefused && failure === undefined) context.stdout.write(summarizeSteps(steps, dryRun));
  reportDiagnostics([...errors, ...warnings], context);
  if (isRefused && !steps.some(isChange)) context.stderr.write("iscsi: Nothing was changed\n");
}

/** Has the server that runs take over what was built. */
async function tell(config: Config, options: OptionValues, context: Context): Promise<Outcome> {
  const { conf: file, force, dryRun } = options;
  try {
    const told = await requestReload(config.storage, { file, force, dryRun }, context);
    // A server that keeps its old configuration: whoever changed it must not think that the change is live.
    return { told, exitCode: told.kind === "absent" ? EXIT_CODES.done.code : exitCodeOf(told) };
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error;
    return { failure: error.message, exitCode: EXIT_CODES.failed.code };
  }
}

/** Provisions, or ends after a step when the user interrupts it. */
async function provisionUnlessInterrupted(
  config: Config,
  { dryRun, force, json }: OptionValues,
  context: Context,
): Promise<{ readonly report: ProvisionReport; readonly isInterrupted: boolean }> {
  const printStep = json ? () => {} : stepPrinter(context.stdout);
  using progress = new ProgressLine(context);
  const onStep = (step: Step, left: number): void => {
    progress.clear();
    printStep(step);
    if (left > 0) progress.show(left === 1 ? "1 more step" : `${left} more steps`);
  };
  using interruption = new Interruption();
  const { signal } = interruption;
  const report = await provision(config, { dryRun, force, onStep, signal });
  const isInterrupted = signal.aborted && report.errors.length === 0 && report.failure === undefined;
  if (!isInterrupted) return { report, isInterrupted };
  return { report: { ...report, failure: "Interrupted: run it again for the rest" }, isInterrupted };
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

function toJson(
  options: OptionValues,
  report: ProvisionReport,
  { told, failure }: Partial<Outcome>,
): string {
  const { promisedBytes, allocatedBytes } = totalsOf(report.steps);
  const document = {
    file: options.conf,
    diagnostics: [...report.errors, ...report.warnings],
    dryRun: options.dryRun,
    changed: !options.dryRun && report.steps.some(isChange),
    steps: report.steps.map(stepToJson),
    failure: failure ?? null,
    promisedBytes,
    allocatedBytes,
    live: reloadToJson(told),
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
    case "confirmFiles":
      return { kind: step.kind, path: step.path, files: step.files };
    case "createFile":
      return { ...step, allocatedBytes: 0 };
    default:
      return step;
  }
}
