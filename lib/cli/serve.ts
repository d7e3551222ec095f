import { resolve } from "@std/path";
import { describeOpenAccess } from "../access/open_access.ts";
import { formatPortal } from "../bytes/network.ts";
import type { Config } from "../config/config.ts";
import { EventLog } from "../iscsi/events/event_log.ts";
import { RepetitionFilter } from "../iscsi/events/repetition_filter.ts";
import { type Exports, findExports } from "../provision/find_exports.ts";
import { isFolder } from "../provision/folders.ts";
import { findTwinStorages } from "../provision/former_storage.ts";
import { findTwinStorage } from "../provision/guard/find_twin_storage.ts";
import { stateFolderOf } from "../provision/state_folder.ts";
import { ControlEndpoint } from "../server/control/control_endpoint.ts";
import { controlHandlers } from "../server/control/control_handlers.ts";
import { collectMetrics } from "../server/metrics/collect_metrics.ts";
import { CopyService } from "../server/control/copy_service.ts";
import { LiveConfService } from "../server/control/live_conf_service.ts";
import { LockWatch } from "../server/storage/lock_watch.ts";
import { MetricsService } from "../server/metrics/metrics_service.ts";
import { Reloader } from "../server/control/reloader.ts";
import { servingFrom } from "../server/storage/serving.ts";
import { describeHolder, StorageLease } from "../server/storage/storage_lease.ts";
import { SpaceWatch } from "../server/storage/space_watch.ts";
import { startWorker } from "../server/start_worker.ts";
import { Supervisor } from "../server/supervisor/supervisor.ts";
import { TrimService } from "../server/control/trim_service.ts";
import { UnitReplacements } from "../server/control/unit_replacements.ts";
import { systemClock, systemInterfaces } from "../server/system.ts";
import type { Context } from "./context.ts";
import { eventLog } from "./log_format.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { LogWriter } from "./log_writer.ts";
import { notifyReady } from "./notify_ready.ts";
import { loadConfig, parseFile, reportDiagnostics } from "./load_config.ts";
import type { OptionValues } from "./options.ts";

/** Milliseconds between two attempts to serve LUNs that could not be opened. */
const LOOK_AGAIN_MS = 5_000;

/**
 * `iscsi serve`: runs the target until SIGTERM or SIGINT. Prints `listening on ADDRESS:PORT` for each portal, then
 * `ready`. Events go to standard error, one line each.
 */
export async function serve(context: Context, options: OptionValues): Promise<ExitCode> {
  const log = eventLog(context, options);
  const isText = options.log === "text" && context.json === undefined;
  const logged = isText ? context : { ...context, stderr: new LogWriter(log, context.json) };
  const loaded = loadConfig(options.conf, logged);
  if (loaded.config === undefined) return loaded.exitCode;
  return await serveConfig(loaded.config, logged, { log, force: options.force });
}

/** The outputs of a server. */
export interface ServeOptions {
  readonly log: EventLog;
  /** Serve also where other machines may not see the lock of the storage folder. */
  readonly force: boolean;
  /** Called whenever all portals listen; prints `ready` by default. */
  readonly onReady?: () => void;
  /** Ends the server when it is aborted. Without it SIGTERM and SIGINT do, and SIGHUP makes it read its conf again. */
  readonly stop?: AbortSignal;
}

/** Serves the built targets of a conf, until SIGTERM or SIGINT. */
export async function serveConfig(
  config: Config,
  context: Context,
  options: ServeOptions,
): Promise<ExitCode> {
  const events = new RepetitionFilter(options.log.write, systemClock);
  try {
    return await serveWithLog(config, context, new EventLog((event) => events.write(event)), options);
  } finally {
    events.flush();
  }
}

async function serveWithLog(
  config: Config,
  context: Context,
  log: EventLog,
  { log: workerLog, force, onReady, stop }: ServeOptions,
): Promise<ExitCode> {
  const stateFolder = stateFolderOf(config.storage);
  // Where nothing was built there is no folder to lock; the missing files are the better message.
  if (!isFolder(stateFolder) && findExportsOrReport(config, context) === undefined) {
    return EXIT_CODES.failed.code;
  }
  const lease = await StorageLease.begin(config.storage, { log, force });
  if ("holderPid" in lease) {
    context.stderr.write(`iscsi: ${describeHolder(config.storage, lease)}\n`);
    return EXIT_CODES.failed.code;
  }
  const found = findExportsOrReport(config, context);
  if (found === undefined) {
    await lease.end();
    return EXIT_CODES.failed.code;
  }
  const print = (text: string, event: unknown): void => printOrLog(text, event, context, log);
  const supervisor: Supervisor = new Supervisor({
    serving: { config, ...servingFrom(found), lease },
    interfaces: systemInterfaces,
    clock: systemClock,
    startWorker,
    ...(context.rights === undefined ? {} : { rights: context.rights }),
    log,
    workerLog,
    onListening: (address, port) =>
      print(`listening on ${formatPortal(address, port)}\n`, { event: "listening", address, port }),
    onReady: () => {
      onReady === undefined ? print("ready\n", { event: "ready" }) : onReady();
      notifyReady(log);
    },
  });
  return await superviseUntilStopped(supervisor, {
    file: resolve(config.file),
    context,
    log,
    stop,
  });
}

/** Runs a supervisor and its control socket until SIGTERM or SIGINT. */
async function superviseUntilStopped(
  supervisor: Supervisor,
  { file, context, log, stop }: {
    file: string;
    context: Context;
    log: EventLog;
    stop: AbortSignal | undefined;
  },
): Promise<ExitCode> {
  const { version } = context;
  const copies = new CopyService({ supervisor, log, clock: systemClock });
  const replacements = new UnitReplacements({ supervisor, log });
  const trims = new TrimService(supervisor);
  using metrics = new MetricsService({
    collect: () => collectMetrics(supervisor, copies, trims, version),
    log,
    clock: systemClock,
    startWorker,
  });
  const liveConf = new LiveConfService(log);
  let openAccess: string | undefined;
  async function takeOver(config: Config): Promise<void> {
    const before = openAccess;
    openAccess = describeOpenAccess(config, systemInterfaces());
    if (openAccess !== undefined && openAccess !== before) log.warning(openAccess);
    metrics.apply(config.metrics);
    await control.moveTo(config.storage);
    // The server does not wait for it.
    liveConf.apply(config);
  }
  await using space = new SpaceWatch({
    config: () => supervisor.serving.config,
    gauge: supervisor.gauge,
    log,
    clock: systemClock,
  });
  const reloader = new Reloader({
    file,
    parse: () => parseFile(file, context),
    supervisor,
    log,
    onApplied: takeOver,
  });
  const services = { copies, replacements, trims, liveConf };
  const parts = { supervisor, reloader, space, ...services, interfaces: systemInterfaces, version };
  using control = new ControlEndpoint(controlHandlers(parts), log, systemClock);
  await takeOver(supervisor.serving.config);
  using _watch = new LockWatch({
    lease: () => supervisor.serving.lease,
    clock: systemClock,
    onLoss: (reason) => endAtOnce(supervisor.serving.config.storage, reason, log),
  });
  const onHangup = (): void => {
    // The log has the outcome.
    reloader.reload({ file, force: false, dryRun: false }).catch(() => {});
  };
  if (stop === undefined) Deno.addSignalListener("SIGHUP", onHangup);
  warnOfTwins(supervisor.serving.config, log);
  const timer = setInterval(() => reloader.retryUnavailable(), LOOK_AGAIN_MS);
  const failure = await supervisor.run(stop ?? stopSignal());
  clearInterval(timer);
  Deno.removeSignalListener("SIGHUP", onHangup);
  if (failure === undefined) return EXIT_CODES.done.code;
  log.error(failure);
  context.json?.addMessage(failure);
  return EXIT_CODES.failed.code;
}

/** Logs copies of the storage folder. It does not delay the start: a folder beside it may hang. */
async function warnOfTwins({ storage: path }: Config, log: EventLog): Promise<void> {
  const twinStorages = await findTwinStorages(path);
  for (const { message } of findTwinStorage({}, { storage: { path }, twinStorages })) log.warning(message);
}

/** Ends the process without the work of an orderly end, which would change the disks. */
function endAtOnce(storage: string, reason: string, log: EventLog): never {
  log.error(
    `Lost the lock of "${storage}": ${reason}; another server may write to its disks, so this one ends at once`,
  );
  Deno.exit(EXIT_CODES.failed.code);
}

/** Prints a line that scripts wait for, or an event as JSON, and logs a failure to write it. */
function printOrLog(text: string, event: unknown, { stdout, json }: Context, log: EventLog): void {
  const before = stdout.failure;
  if (json === undefined) stdout.write(text);
  else json.writeLine(event);
  const { failure } = stdout;
  if (failure !== undefined && failure !== before) {
    log.warning(`Cannot write to standard output: ${failure.message}`);
  }
}

/** Returns the exports of a conf; undefined when they have errors, after reporting them. */
function findExportsOrReport(config: Config, context: Context): Exports | undefined {
  const found = findExports(config);
  if (found.errors.length === 0) return found;
  reportDiagnostics(found.errors, context);
  return undefined;
}

/** Returns a signal that SIGTERM and SIGINT abort. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => controller.abort());
  }
  return controller.signal;
}
