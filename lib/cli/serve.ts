import { interfaceAddresses } from "../access/interfaces.ts";
import { formatPortal } from "../bytes/network.ts";
import type { Config } from "../config/config.ts";
import type { EventLog } from "../iscsi/event_log.ts";
import { ControlServer } from "../control/control_server.ts";
import { controlHandlers, type ControlHandlersOptions } from "../server/control_handlers.ts";
import { DeviceNodes } from "../provision/device_nodes.ts";
import { type Exports, findExports } from "../provision/find_exports.ts";
import { controlSocketOf, stateFolderOf } from "../provision/state_folder.ts";
import { StorageLock } from "../provision/storage_lock.ts";
import { collectMetrics } from "../server/collect_metrics.ts";
import { HoleService } from "../server/hole_service.ts";
import { MetricsService } from "../server/metrics_service.ts";
import { SpaceWatch } from "../server/space_watch.ts";
import { Supervisor } from "../server/supervisor.ts";
import type { Context } from "./context.ts";
import { eventLog } from "./log_format.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { loadConfig, reportDiagnostics } from "./load_config.ts";
import type { OptionValues } from "./options.ts";

/**
 * `iscsi serve`: the target, until SIGTERM or SIGINT. Prints `listening on ADDRESS:PORT` for each portal, then `ready`;
 * what happens goes to standard error, one line an event.
 */
export async function serve(context: Context, options: OptionValues): Promise<ExitCode> {
  const loaded = loadConfig(options.conf, context);
  if (loaded.config === undefined) return loaded.exitCode;
  return await serveConfig(loaded.config, context, { log: eventLog(context, options) });
}

/** How a server tells of itself. */
export interface ServeOptions {
  readonly log: EventLog;
  /** Called whenever the targets can be reached at all portals; prints `ready` by default. */
  readonly onReady?: () => void;
}

/** Serves what was built for a conf, until SIGTERM or SIGINT. */
export async function serveConfig(
  config: Config,
  context: Context,
  { log, onReady = () => context.stdout.write("ready\n") }: ServeOptions,
): Promise<ExitCode> {
  const stateFolder = stateFolderOf(config.storage);
  // Where nothing was built there is no lock to take; what the disk lacks says more than that.
  if (!isFolder(stateFolder) && findExportsOrReport(config, context) === undefined) {
    return EXIT_CODES.failed.code;
  }
  const attempt = await StorageLock.acquire(stateFolder, "serve");
  if ("holderPid" in attempt) {
    const holder = attempt.holderPid === undefined ? "another process" : `process ${attempt.holderPid}`;
    context.stderr.write(`iscsi: Cannot serve "${config.storage}": ${holder} serves it already\n`);
    return EXIT_CODES.failed.code;
  }
  using _lock = attempt.lock;
  const found = findExportsOrReport(config, context);
  if (found === undefined) return EXIT_CODES.failed.code;
  const { exports, devices } = found;
  using deviceNodes = new DeviceNodes(config.storage, devices);
  await using holes = await HoleService.open({ config, devicePaths: devices.map(({ path }) => path), log });
  const supervisor = new Supervisor({
    config,
    identities: new Map([...exports].map(([path, { identity }]) => [path, identity])),
    makeDeviceNodes: () => deviceNodes.renew(),
    interfaces: () => interfaceAddresses(Deno.networkInterfaces()),
    holes,
    log,
    onListening: (address, port) => context.stdout.write(`listening on ${formatPortal(address, port)}\n`),
    onReady,
  });
  using metrics = new MetricsService({ collect: () => collectMetrics(supervisor, context.version), log });
  metrics.apply(config.metrics);
  using space = new SpaceWatch({ config: () => config, log });
  using _control = await openControl(
    { supervisor, space, storage: config.storage, version: context.version },
    log,
  );
  const failure = await supervisor.run(stopSignal());
  if (failure === undefined) return EXIT_CODES.done.code;
  context.stderr.write(`iscsi: ${failure}\n`);
  return EXIT_CODES.failed.code;
}

/** Takes requests of `iscsi status` and its like; where that cannot be, everything else is served all the same. */
async function openControl(
  options: ControlHandlersOptions,
  log: EventLog,
): Promise<ControlServer | undefined> {
  const path = controlSocketOf(options.storage);
  try {
    return await ControlServer.listen(path, controlHandlers(options));
  } catch (error) {
    log.warning(`Cannot take requests at "${path}": ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}

/** What there is to serve; undefined when something is wrong with it, which is reported then. */
function findExportsOrReport(config: Config, context: Context): Exports | undefined {
  const found = findExports(config);
  if (found.errors.length === 0) return found;
  reportDiagnostics(found.errors, context);
  return undefined;
}

/** Whether there is a folder at `path` itself, and not a link to one. */
function isFolder(path: string): boolean {
  try {
    return Deno.lstatSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** Aborted when the process is told to end. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  Deno.addSignalListener("SIGTERM", stop);
  Deno.addSignalListener("SIGINT", stop);
  return controller.signal;
}
