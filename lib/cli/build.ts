import type { Config } from "../config/config.ts";
import { recordLiveConf } from "../provision/live_conf.ts";
import { ProvisionError } from "../provision/provision_error.ts";
import { provision, type ProvisionReport } from "../provision/provision.ts";
import { isChange, type Step } from "../provision/step.ts";
import { UnusedMention } from "../provision/unused_mention.ts";
import { findDriftWarnings } from "./conf_drift.ts";
import type { Context } from "./context.ts";
import { exitCodeOf, reloadToJson, reportReload } from "./format_reload.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { Interruption } from "./interruption.ts";
import { loadConfig, reportDiagnostics } from "./load_config.ts";
import { findOpenAccess } from "./open_access.ts";
import { OPTIONS, type OptionValues } from "./options.ts";
import { ProgressLine } from "./progress_line.ts";
import { stepPrinter, summarizeSteps } from "./step_table.ts";
import { totalsOf } from "./step_totals.ts";
import { type ReloadOutcome, requestReload } from "./request_reload.ts";

/**
 * `iscsi build`: provisions the backing files of the conf, and then has the running server take the conf over. The
 * section JSON of iscsi(8) has the fields of `--json`.
 */
export async function build(context: Context, options: OptionValues): Promise<ExitCode> {
  return await buildConf(context, options, { isServedNext: false });
}

/**
 * Provisions the backing files of the conf, and has the running server take the conf over.
 *
 * @param isServedNext the caller serves the conf next: no hint to start a server
 */
export async function buildConf(
  context: Context,
  options: OptionValues,
  { isServedNext }: { readonly isServedNext: boolean },
): Promise<ExitCode> {
  const loaded = loadConfig(options.conf, context);
  if (loaded.config === undefined) {
    if (loaded.exitCode === EXIT_CODES.confErrors.code) {
      const report = { steps: [], errors: loaded.diagnostics, warnings: [] };
      context.json?.setDocument(toJson(options, report, {}));
    }
    return loaded.exitCode;
  }
  const { config, diagnostics } = loaded;
  const { report: provisioned, isInterrupted, unused } = await provisionUnlessInterrupted(
    config,
    options,
    context,
  );
  const warnings = [
    ...provisioned.warnings,
    ...findOpenAccess(config, context),
    ...await findDriftWarnings(config),
  ];
  const report = { ...provisioned, warnings };
  reportProvision(report, { ...options, unused }, context);
  const isDone = report.errors.length === 0 && report.failure === undefined;
  const outcome: Outcome = isDone ? await reloadServer(config, options, context) : {
    failure: report.failure,
    exitCode: isInterrupted ? EXIT_CODES.interrupted.code : EXIT_CODES.failed.code,
  };
  const { reload, failure, exitCode } = outcome;
  if (failure !== undefined) context.stderr.write(`iscsi: ${failure}\n`);
  if (context.json !== undefined) {
    const warnings = [...diagnostics, ...report.warnings];
    context.json.setDocument(toJson(options, { ...report, warnings }, outcome));
  }
  if (reload?.kind === "absent") {
    if (!isServedNext && context.json === undefined) printNextStep(config, options, context);
  } else if (reload !== undefined) {
    reportReload(reload, config.storage, context);
  }
  return exitCode;
}

/** The end of a build. */
interface Outcome {
  /** Absent when no server was asked to reload. */
  readonly reload?: ReloadOutcome;
  /** The reason why the build is incomplete; undefined when it is complete, or when diagnostics have the reason. */
  readonly failure?: string | undefined;
  readonly exitCode: ExitCode;
}

/** Prints the totals and diagnostics of provisioning. */
function reportProvision(
  { steps, errors, warnings, failure }: ProvisionReport,
  { json, dryRun, unused }: Pick<OptionValues, "json" | "dryRun"> & { readonly unused: readonly string[] },
  context: Context,
): void {
  const isRefused = errors.length > 0;
  if (!json && !isRefused && failure === undefined) {
    context.stdout.write(summarizeSteps(steps, { dryRun, unused }));
  }
  reportDiagnostics([...errors, ...warnings], context);
  if (isRefused && !steps.some(isChange)) context.stderr.write("iscsi: Nothing was changed\n");
}

/** Has the running server take over the built conf. */
async function reloadServer(config: Config, options: OptionValues, context: Context): Promise<Outcome> {
  const { conf: file, force, dryRun } = options;
  try {
    const reload = await requestReload(config.storage, { file, force, dryRun }, context);
    // A running server records what it serves.
    if (reload.kind === "absent" && !dryRun) await recordQuietly(config);
    // A build fails when the server keeps its old configuration: the change is not live.
    return { reload, exitCode: reload.kind === "absent" ? EXIT_CODES.done.code : exitCodeOf(reload) };
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error;
    return { failure: error.message, exitCode: EXIT_CODES.failed.code };
  }
}

/** Records a built conf as the live one. A failure has no consequence for the build. */
async function recordQuietly(config: Config): Promise<void> {
  try {
    await recordLiveConf(config);
  } catch {
    // The next server records its conf.
  }
}

/** The result of provisioning. */
interface Provisioned {
  readonly report: ProvisionReport;
  readonly isInterrupted: boolean;
  /** The paths of the unused files that were mentioned. */
  readonly unused: readonly string[];
}

/** Provisions the backing files; an interruption ends it after the current step. */
async function provisionUnlessInterrupted(
  config: Config,
  { dryRun, force, json }: OptionValues,
  context: Context,
): Promise<Provisioned> {
  const printStep = json ? () => {} : stepPrinter(context.stdout);
  using progress = new ProgressLine(context);
  const onStep = (step: Step, left: number): void => {
    progress.clear();
    if (step.kind !== "keepUnusedFile") printStep(step);
    if (left > 0) progress.show(left === 1 ? "1 more step" : `${left} more steps`);
  };
  using interruption = new Interruption();
  const { signal } = interruption;
  const report = await provision(config, { dryRun, force, onStep, signal });
  const isInterrupted = signal.aborted && report.errors.length === 0 && report.failure === undefined;
  if (isInterrupted) {
    const failure = "Interrupted: run it again for the rest";
    return { report: { ...report, failure }, isInterrupted, unused: [] };
  }
  const unused = json ? [] : await mentionUnused(config, report, dryRun);
  for (const step of unused) printStep(step);
  return { report, isInterrupted, unused: unused.map(({ path }) => path) };
}

/** Returns the unused files that are to be mentioned: in a dry run all, otherwise once for each set of them. */
async function mentionUnused(
  { storage }: Config,
  { steps, errors, failure }: ProvisionReport,
  dryRun: boolean,
): Promise<readonly Step[]> {
  const unused = steps.filter(({ kind }) => kind === "keepUnusedFile");
  if (dryRun) return unused;
  if (errors.length > 0 || failure !== undefined) return [];
  const mention = new UnusedMention(storage);
  const paths = unused.map(({ path }) => path);
  if (!mention.isNews(paths)) return [];
  await mention.record(paths);
  return unused;
}

/** Prints that no server runs, and how to start one. */
function printNextStep(
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
  { reload, failure }: Partial<Outcome>,
): unknown {
  const { promisedBytes, allocatedBytes } = totalsOf(report.steps);
  return {
    file: options.conf,
    diagnostics: [...report.errors, ...report.warnings],
    dryRun: options.dryRun,
    changed: !options.dryRun && report.steps.some(isChange),
    steps: report.steps.map(stepToJson),
    failure: failure ?? null,
    promisedBytes,
    allocatedBytes,
    live: reloadToJson(reload),
  };
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
