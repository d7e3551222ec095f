/**
 * Has the server read its conf again and serve what it says now. A conf that is not good, or was not built, changes
 * nothing.
 */
import type { Config } from "../config/config.ts";
import { CONSEQUENCES } from "../config/config_difference.ts";
import { type Diagnostic, formatDiagnostic } from "../config/diagnostic.ts";
import type { ParsedConfig } from "../config/parse_config.ts";
import type { ReportedChange } from "../control/reported_change.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";
import { findExports } from "../provision/find_exports.ts";
import { settleState } from "../provision/settle_state.ts";
import { type Serving, servingFrom } from "./serving.ts";
import { describeHolder, StorageLease } from "./storage_lease.ts";
import type { Supervisor } from "./supervisor.ts";
import type { ReloadReport, ReloadRequest } from "../control/control_requests.ts";
import { errorMessage } from "../base/error_message.ts";

/** What a reloader works on. */
export interface ReloaderOptions {
  /** Path of the conf. */
  readonly file: string;
  /**
   * Reads it.
   *
   * @throws {Error} when it cannot be read; the message is for the user
   */
  readonly parse: () => ParsedConfig;
  readonly supervisor: Supervisor;
  readonly log: EventLog;
  /** Targets are served as this conf says now: for whatever else follows it. */
  readonly onTakenOver: (config: Config) => Promise<void>;
}

/** Reads the conf again whenever it is told to, once at a time. */
export class Reloader {
  readonly #options: ReloaderOptions;
  #turn: Promise<unknown> = Promise.resolve();
  #isLooking = false;

  constructor(options: ReloaderOptions) {
    this.#options = options;
  }

  /**
   * Does what is asked for when all that was asked for before is done.
   *
   * @throws {Error} (rejects) when it cannot; the message, of one or more lines, is for the user
   */
  reload(request: ReloadRequest): Promise<ReloadReport> {
    const done = this.#turn.then(() => this.#reload(request));
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Looks again for what could not be served, and serves what is there now. Its failure is in the log. */
  async lookAgain(): Promise<void> {
    const { serving, backingFaults } = this.#options.supervisor;
    const paths = [...serving.unavailable.keys(), ...backingFaults.keys()];
    if (paths.length === 0 || this.#isLooking) return;
    this.#isLooking = true;
    // A disk that hangs holds up nothing but this.
    await Promise.allSettled(paths.map((path) => Deno.stat(path)));
    const done = this.#turn.then(() => this.#lookAgain());
    this.#turn = done;
    await done;
    this.#isLooking = false;
  }

  async #lookAgain(): Promise<void> {
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
      log.warning(`Cannot serve what was not there before: ${reason}; it is tried again`);
    }
  }

  async #reload(request: ReloadRequest): Promise<ReloadReport> {
    try {
      const report = await this.#perform(request);
      if (!request.dryRun) this.#tellOf(report.changes);
      return report;
    } catch (error) {
      const message = errorMessage(error);
      if (!request.dryRun) {
        for (const line of message.split("\n")) this.#options.log.warning(`Conf is not taken over: ${line}`);
      }
      throw error;
    }
  }

  async #perform({ file, force, dryRun }: ReloadRequest): Promise<ReloadReport> {
    const { supervisor, onTakenOver } = this.#options;
    this.#assertOwn(file);
    const config = this.#read();
    const changes = await supervisor.preview(config);
    const obstacle = describeEmptiness(supervisor.serving.config, config) ?? describeObstacle(changes);
    if (dryRun) return { dryRun, changes, obstacle };
    if (obstacle !== null && !force) throw new Error(`${obstacle}; use --force`);
    const isOther = changes.some(({ consequence }) => consequence === "ended");
    const done = isOther ? await this.#replace(config, changes) : await this.#reconfigure(config);
    await onTakenOver(config);
    return { dryRun, changes: done, obstacle };
  }

  async #reconfigure(config: Config): Promise<readonly ReportedChange[]> {
    const next = this.#servingOf(config);
    await settleState(config);
    return await this.#options.supervisor.reconfigure(next);
  }

  /** Serves another storage folder or node, by another worker. */
  async #replace(config: Config, changes: readonly ReportedChange[]): Promise<readonly ReportedChange[]> {
    const { supervisor, log } = this.#options;
    const { config: before } = supervisor.serving;
    // What the disk lacks says more than that there is no lock to take.
    const serving = this.#servingOf(config);
    if (before.storage === config.storage) {
      await supervisor.replace(serving);
      return changes;
    }
    const next = await StorageLease.begin(config.storage, log);
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
   * Finds what there is to serve of a conf. A problem of a logical unit that is as it was keeps nothing else from
   * changing.
   *
   * @throws {Error} when it was not built, or something is wrong with it
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
    if (errors.length > 0) throw new Error(describe(errors));
    for (const [path, { reason }] of found.unavailable) {
      if (!serving.unavailable.has(path)) {
        log.warning(`${reason}; as long as the file is open, its LUN is served`);
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
    if (config === undefined) throw new Error(describe(diagnostics.filter(isError)));
    for (const diagnostic of diagnostics) log.warning(formatDiagnostic(diagnostic));
    return config;
  }

  #tellOf(changes: readonly ReportedChange[]): void {
    const { log } = this.#options;
    if (changes.length === 0) return log.info("Conf was read again: nothing has changed");
    for (const { description, consequence, sessions } of changes) {
      const who = sessions.length === 0 ? "" : ` (${sessions.length}: ${CONSEQUENCES[consequence]})`;
      log.info(`Conf was read again: ${description}${who}`);
    }
  }
}

/** The sizes of the logical units of a conf, by the paths of their backing files. */
function unitsOf({ targets }: Config): ReadonlyMap<string, number> {
  return new Map(
    targets.flatMap(({ logicalUnits }) => logicalUnits.map(({ path, sizeBytes }) => [path, sizeBytes])),
  );
}

function areEqual(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && a.entries().every(([key, value]) => b.get(key) === value);
}

/** Why a conf without targets takes force: mostly an editor or a full disk has emptied it. */
function describeEmptiness(before: Config, { targets }: Config): string | null {
  const { length } = before.targets;
  if (targets.length > 0 || length === 0) return null;
  return `The conf has no target any more, and ${length === 1 ? "one is" : `${length} are`} served`;
}

/** Why a change takes force. */
function describeObstacle(changes: readonly ReportedChange[]): string | null {
  const ended = changes.filter(({ consequence, sessions }) => consequence === "ended" && sessions.length > 0);
  if (ended.length === 0) return null;
  const count = ended[0]!.sessions.length;
  const sessions = count === 1 ? "the one session that there is" : `all ${count} sessions that there are`;
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
