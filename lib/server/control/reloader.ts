/** Reads the conf again and serves it. A conf that is faulty, or that was not built, changes nothing. */
import type { Config } from "../../config/config.ts";
import { CONSEQUENCES } from "../../config/config_difference.ts";
import { type Diagnostic, formatDiagnostic } from "../../config/diagnostic.ts";
import type { ParsedConfig } from "../../config/parse_config.ts";
import type { ReportedChange } from "../../control/reported_change.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import { DEVICES_FOLDER } from "../../provision/block_device.ts";
import { findExports } from "../../provision/find_exports.ts";
import { isInside } from "../../provision/is_inside.ts";
import { settleState } from "../../provision/settle_state.ts";
import { SerialQueue } from "../../base/serial_queue.ts";
import { type Serving, servingFrom } from "../storage/serving.ts";
import { describeHolder, StorageLease } from "../storage/storage_lease.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import type { ReloadReport, ReloadRequest } from "../../control/control_requests.ts";
import { errorMessage } from "../../base/error_message.ts";

/**
 * Checks for the same LUNs that are made each time. If the conf has block devices, only every twelfth later check is
 * made.
 */
const CHECKS_EAGER = 12;

/** The collaborators of a reloader. */
export interface ReloaderOptions {
  /** Path of the conf. */
  readonly file: string;
  /**
   * Reads and parses the conf.
   *
   * @throws {Error} when the conf cannot be read; the message is for the user
   */
  readonly parse: () => ParsedConfig;
  readonly supervisor: Supervisor;
  readonly log: EventLog;
  /** Called with a conf once its targets are served, to apply its other options. */
  readonly onApplied: (config: Config) => Promise<void>;
}

/** Reloads the conf on request, one reload at a time. */
export class Reloader {
  readonly #options: ReloaderOptions;
  readonly #queue = new SerialQueue();
  #isChecking = false;
  /** Paths of the backings that could not be served at the last check, and the number of checks that found the same. */
  #missing = "";
  #checks = 0;

  constructor(options: ReloaderOptions) {
    this.#options = options;
  }

  /**
   * Reloads the conf when all earlier requests have finished.
   *
   * @throws {Error} (rejects) when the reload fails; the message, of one or more lines, is for the user
   */
  reload(request: ReloadRequest): Promise<ReloadReport> {
    return this.#queue.run(() => this.#reload(request));
  }

  /** Checks the backings that could not be served, and serves those that now can be. Logs a failure. */
  async retryUnavailable(): Promise<void> {
    const { serving, backingFaults } = this.#options.supervisor;
    const paths = [...serving.unavailable.keys(), ...backingFaults.keys()];
    if (paths.length === 0 || this.#isChecking || !this.#isDue(paths)) return;
    this.#isChecking = true;
    // A disk that hangs delays only this check, not a reload.
    await Promise.allSettled(paths.map((path) => Deno.stat(path)));
    await this.#queue.run(() => this.#serveAvailable());
    this.#isChecking = false;
  }

  /** Returns whether to check now. A check of block devices starts `lsblk` for each, so repeated ones become rare. */
  #isDue(paths: readonly string[]): boolean {
    const missing = paths.join("\n");
    this.#checks = missing === this.#missing ? this.#checks + 1 : 1;
    this.#missing = missing;
    const { devices } = this.#options.supervisor.serving;
    const isCheap = devices.length === 0 && !paths.some((path) => isInside(DEVICES_FOLDER, path));
    return isCheap || this.#checks <= CHECKS_EAGER || this.#checks % CHECKS_EAGER === 0;
  }

  async #serveAvailable(): Promise<void> {
    const { supervisor, log } = this.#options;
    const { serving } = supervisor;
    if (!supervisor.hasWorker) return;
    try {
      const found = findExports(serving.config);
      const next = { ...serving, ...servingFrom(found) };
      const isSame = areEqual(next.unavailable, serving.unavailable) && supervisor.backingFaults.size === 0;
      if (found.errors.length > 0 || isSame) return;
      await settleState(next.config);
      await supervisor.reconfigure(next);
    } catch (error) {
      const reason = errorMessage(error);
      log.warning(`Cannot serve LUNs that were unavailable: ${reason}; trying again`);
    }
  }

  async #reload(request: ReloadRequest): Promise<ReloadReport> {
    try {
      const report = await this.#perform(request);
      if (!request.dryRun) this.#logChanges(report.changes);
      return report;
    } catch (error) {
      const message = errorMessage(error);
      if (!request.dryRun) {
        const summary = error instanceof ConfRejected ? REJECTED : FAILED;
        for (const line of message.split("\n")) this.#options.log.warning(`${summary}: ${line}`);
      }
      throw error;
    }
  }

  async #perform({ file, force, dryRun }: ReloadRequest): Promise<ReloadReport> {
    const { supervisor, onApplied } = this.#options;
    this.#assertOwn(file);
    const config = this.#read();
    const changes = await supervisor.preview(config);
    const obstacle = describeEmptiness(supervisor.serving.config, config) ?? describeObstacle(changes);
    if (dryRun) return { dryRun, changes, obstacle };
    if (obstacle !== null && !force) throw new Error(`${obstacle}; use --force`);
    const isOther = changes.some(({ consequence }) => consequence === "ended");
    const done = isOther ? await this.#replace(config, changes, force) : await this.#reconfigure(config);
    await onApplied(config);
    return { dryRun, changes: done, obstacle };
  }

  async #reconfigure(config: Config): Promise<readonly ReportedChange[]> {
    const next = this.#servingOf(config);
    await settleState(config);
    return await this.#options.supervisor.reconfigure(next);
  }

  /** Serves another storage folder or node, by a new worker. */
  async #replace(
    config: Config,
    changes: readonly ReportedChange[],
    force: boolean,
  ): Promise<readonly ReportedChange[]> {
    const { supervisor, log } = this.#options;
    const { config: before } = supervisor.serving;
    // A missing file is a clearer error than a missing lock.
    const serving = this.#servingOf(config);
    if (before.storage === config.storage) {
      await supervisor.replace(serving);
      return changes;
    }
    const next = await StorageLease.begin(config.storage, { log, force });
    if ("holderPid" in next) throw new Error(describeHolder(config.storage, next));
    try {
      await supervisor.replace({ ...serving, lease: next });
    } catch (error) {
      if (supervisor.serving.lease !== next) await next.end();
      throw error;
    }
    return changes;
  }

  /**
   * Finds the backings of a conf. A fault of a logical unit that the change does not touch does not prevent the change.
   *
   * @throws {ConfRejected} when the conf was not built, or a new or changed logical unit has a fault
   */
  #servingOf(config: Config): Serving {
    const { supervisor, log } = this.#options;
    const { serving } = supervisor;
    const known = unitsOf(serving.config);
    const found = findExports(config);
    const wrong = [...found.unavailable].filter(([path, { sizeBytes }]) => known.get(path) !== sizeBytes)
      .map(([, { line, reason }]): Diagnostic => ({
        severity: "error",
        file: config.file,
        line,
        message: reason,
      }));
    const errors = [...found.errors, ...wrong];
    if (errors.length > 0) throw new ConfRejected(describe(errors));
    for (const [path, { reason }] of found.unavailable) {
      if (!serving.unavailable.has(path) && !found.deviceStates.has(path)) {
        log.warning(`${reason}; its LUN is served while the file stays open`);
      }
    }
    return { config, ...servingFrom(found), lease: serving.lease };
  }

  #assertOwn(file: string): void {
    const own = this.#options.file;
    if (realPathOr(file) === realPathOr(own)) return;
    throw new Error(`The running server reads "${own}", not "${file}"`);
  }

  #read(): Config {
    const { parse, log } = this.#options;
    const { config, diagnostics } = parse();
    if (config === undefined) throw new ConfRejected(describe(diagnostics.filter(isError)));
    for (const diagnostic of diagnostics) log.warning(formatDiagnostic(diagnostic));
    return config;
  }

  #logChanges(changes: readonly ReportedChange[]): void {
    const { log } = this.#options;
    if (changes.length === 0) return log.info("Conf reloaded, no changes");
    for (const { description, consequence, sessions } of changes) {
      const affected = sessions.length === 0 ? "" : ` (${sessions.length}: ${CONSEQUENCES[consequence]})`;
      log.info(`Conf reloaded: ${description}${affected}`);
    }
  }
}

/** Returns the sizes of a conf's logical units, by the paths of their backing files. */
function unitsOf({ targets }: Config): ReadonlyMap<string, number> {
  return new Map(
    targets.flatMap(({ logicalUnits }) => logicalUnits.map(({ path, sizeBytes }) => [path, sizeBytes])),
  );
}

/** The log's first words about a conf with errors. */
const REJECTED = "Conf rejected, keeping the old one";

/** The log's first words about a conf that cannot be applied. */
const FAILED = "Reload failed, configuration unchanged";

/** A conf with errors, as opposed to one that cannot be applied. */
class ConfRejected extends Error {}

function areEqual(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && a.entries().every(([key, value]) => b.get(key) === value);
}

/** Returns why a conf without targets needs `--force`: usually an editor or a full disk has emptied it. */
function describeEmptiness(before: Config, { targets }: Config): string | null {
  const { length } = before.targets;
  if (targets.length > 0 || length === 0) return null;
  return `The conf has no targets, but ${length === 1 ? "one is" : `${length} are`} served`;
}

/** Returns why changes need `--force`, or null when they do not. */
function describeObstacle(changes: readonly ReportedChange[]): string | null {
  const ended = changes.filter(({ consequence, sessions }) => consequence === "ended" && sessions.length > 0);
  if (ended.length === 0) return null;
  const count = ended[0]!.sessions.length;
  const sessions = count === 1 ? "the only session" : `all ${count} sessions`;
  return `Cannot ${ended.map(({ description }) => description).join(" and ")} without ending ${sessions}`;
}

function isError({ severity }: Diagnostic): boolean {
  return severity === "error";
}

function describe(diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map(formatDiagnostic).join("\n");
}

function realPathOr(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}
