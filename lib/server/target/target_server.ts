/**
 * The program of the target worker: logical units, the iSCSI node and its listeners, and their reconfiguration while
 * they are in use. It does not depend on workers and messages, so tests run it directly.
 */
import type { Config } from "../../config/config.ts";
import {
  type Change,
  configDifference,
  consequenceOf,
  describeChange,
} from "../../config/config_difference.ts";
import { elsewhereOf, portsOf, shareOf } from "../../config/port_share.ts";
import type { ReportedChange, TouchedSession } from "../../control/reported_change.ts";
import type { ServedSnapshot } from "../../control/unit_problem.ts";
import type { UnitReservations } from "../../control/unit_reservations.ts";
import type { ByteStream, ConnectionEnds } from "../../iscsi/byte_stream.ts";
import type { Clock } from "../../iscsi/clock.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import type { Session } from "../../iscsi/session/session.ts";
import { Limits } from "../../iscsi/limits.ts";
import type { ServerTotals } from "../../iscsi/node/server_totals.ts";
import type { SessionLimits } from "../../iscsi/node/session_register.ts";
import { TargetNode } from "../../iscsi/node/target_node.ts";
import type { SpaceFigures } from "../../scsi/pages/provisioning.ts";
import { AbsentUnits } from "./absent_units.ts";
import { PortalListeners, type PreparedListeners } from "./portal_listeners.ts";
import { reportReservations } from "./report_reservations.ts";
import { GRACE_SECONDS, type ServedUnit } from "./served_unit.ts";
import { type PreparedUnits, ServedUnits } from "./served_units.ts";
import type { TargetServerSettings } from "./target_server_settings.ts";
import { requiresLogout } from "./unit_changes.ts";
import { UnitCopies } from "./unit_copies.ts";
import { randomBytes } from "../system.ts";
import type { TrimLimits } from "./trim_limits.ts";
import type { UnitAddress } from "../../control/control_requests.ts";
import type { TrimFigures } from "../../scsi/medium/trimmer.ts";
import { formatSize } from "../../config/size.ts";

/** The settings and collaborators of a target server. */
export interface TargetServerOptions extends TargetServerSettings {
  readonly log: EventLog;
  readonly clock: Clock;
  /** The sessions of all workers of the server: none but this one by default. */
  readonly totals?: ServerTotals;
  /** Called when a backing has been closed that was removed from the conf, or that is being replaced. */
  readonly onClosed?: (path: string) => void;
  /** Called with the path of a backing that fails, every few seconds at most. */
  readonly onFault?: (path: string) => void;
  /** Called with the address of each failed login, for the other workers of the server. */
  readonly onFailedLogin?: (peerAddress: string) => void;
}

/** The opened units and listeners of a configuration; applying them cannot fail. */
interface Prepared {
  readonly units: PreparedUnits;
  readonly listeners: PreparedListeners;
}

/** The sessions that changes may affect. */
interface InvolvedSessions {
  readonly all: readonly Session[];
  /** By the names of their targets in the conf. */
  readonly byTarget: ReadonlyMap<string, readonly Session[]>;
  /** The sessions whose initiators could not log in again. */
  readonly refused: ReadonlySet<Session>;
}

/** A running target. */
export class TargetServer {
  /** The parts of copies that are this worker's. */
  readonly copies: UnitCopies;
  readonly #port: number;
  readonly #log: EventLog;
  readonly #node: TargetNode;
  readonly #targets: ServedUnits;
  readonly #listeners: PortalListeners;
  readonly #absent: AbsentUnits;
  #config: Config;

  /**
   * Opens the backing files, listens at every portal, and serves. A logical unit that cannot be opened is not ready.
   *
   * @throws {Error} when a portal cannot be listened at; then nothing stays open
   */
  static start(options: TargetServerOptions): TargetServer {
    const server = new TargetServer({ ...options, config: { ...options.config, targets: [] }, portals: [] });
    server.#reconfigure(options, true);
    return server;
  }

  private constructor(options: TargetServerOptions) {
    const { log, clock, onClosed = () => {}, config, interfaces, port, totals, onFailedLogin, onFault } =
      options;
    this.#config = config;
    this.#port = port;
    this.#log = log;
    this.copies = new UnitCopies(clock);
    this.#node = new TargetNode({
      targets: [],
      elsewhere: [],
      limits: limitsOf(config),
      interfaces,
      log,
      clock,
      ping: config,
      chap: config,
      randomBytes,
      totals,
      onFailedLogin,
    });
    const onLateUnit = (): void => this.#absent.retrySoon();
    this.#targets = new ServedUnits(options, {
      node: this.#node,
      log,
      clock,
      onClosed,
      onLateUnit,
      onFault,
    });
    this.#listeners = new PortalListeners({ serve: this.serve.bind(this), log });
    this.#absent = new AbsentUnits({
      log,
      clock,
      state: () => ({
        config: shareOf(this.#config, port),
        targets: this.#targets.byName,
        options: this.#targets.backingOptions,
      }),
    });
  }

  /** The addresses at which the target listens. */
  get addresses(): readonly Deno.NetAddr[] {
    return this.#listeners.addresses;
  }

  /** Reasons for which the target does not listen at some portals. Each reconfiguration retries them. */
  get faults(): readonly string[] {
    return this.#listeners.faults;
  }

  /** Serves an accepted connection until it is closed. */
  serve(stream: ByteStream, ends: ConnectionEnds): Promise<void> {
    return this.#node.serve(stream, ends);
  }

  /** Counts a login that has failed at another worker of the server. */
  countFailedLogin(peerAddress: string): void {
    this.#node.countFailedLogin(peerAddress);
  }

  /** Records the space that backing files take, by their paths. */
  updateSpace(figures: ReadonlyMap<string, SpaceFigures>): void {
    this.#targets.updateSpace(figures);
  }

  /** Returns the changes that these settings would make, with the sessions that each affects. */
  preview({ config, interfaces }: Pick<TargetServerSettings, "config" | "interfaces">): ReportedChange[] {
    const involved = this.#involved(config, interfaces);
    return configDifference(this.#config, config).map((change) => ({
      description: describeChange(change),
      consequence: consequenceOf(change),
      sessions: affectedBy(change, involved).map(describeSession),
    }));
  }

  /**
   * Applies new settings, at once or as soon as running commands allow it. Sessions the change does not affect are
   * undisturbed.
   *
   * @returns the changes made
   * @throws {Error} when a file cannot be opened or a portal cannot be listened at; then nothing has changed
   */
  reconfigure(settings: TargetServerSettings): ReportedChange[] {
    return this.#reconfigure(settings, false);
  }

  #reconfigure(settings: TargetServerSettings, mayMissUnits: boolean): ReportedChange[] {
    const { config, interfaces } = settings;
    const changes = configDifference(this.#config, config);
    const report = this.preview(settings);
    const involved = this.#involved(config, interfaces);
    const leaving = changes.filter(requiresLogout).flatMap((change) => affectedBy(change, involved));
    const share = { ...settings, config: shareOf(config, this.#port) };
    const own = configDifference(shareOf(this.#config, this.#port), share.config);
    const prepared = this.#prepare(own, share, mayMissUnits);
    this.#config = config;
    this.#listeners.replace(prepared.listeners);
    const targets = this.#targets.apply(own, share, prepared.units);
    this.#absent.retry();
    const elsewhere = elsewhereOf(config, this.#port);
    const limits = limitsOf(config);
    this.#node.reconfigure({ targets, elsewhere, limits, interfaces, ping: config, chap: config });
    for (const session of new Set(leaving)) this.#node.requestLogout(session, GRACE_SECONDS);
    return report;
  }

  /** Does everything that may fail, and undoes it on failure. */
  #prepare(changes: readonly Change[], settings: TargetServerSettings, mayMissUnits: boolean): Prepared {
    const units = this.#targets.prepare(changes, settings, mayMissUnits);
    try {
      return {
        units,
        listeners: this.#listeners.prepare(settings.portals, settings.mayMissPortals ?? false),
      };
    } catch (error) {
      this.#targets.discard(units);
      throw error;
    }
  }

  /** Returns the sessions that changes to this conf may affect. */
  #involved({ targets }: Config, interfaces: TargetServerSettings["interfaces"]): InvolvedSessions {
    const all = [...this.#node.sessions()].filter(({ target }) => target !== undefined);
    return {
      all,
      byTarget: Map.groupBy(all, ({ target }) => target!.config.name),
      refused: new Set(this.#node.refusedBy(targets, interfaces)),
    };
  }

  /** Returns the sessions, connections and unserved logical units of this moment. */
  snapshot(): ServedSnapshot {
    return { ...this.#node.snapshot(), problems: this.#absent.problems() };
  }

  /**
   * Ends sessions, by their target session identifying handles. Their initiators are asked to log out; those that have
   * not done so after `graceSeconds` are disconnected, or all at once if that is null.
   *
   * @returns the handles for which a session existed
   */
  disconnect(tsihs: readonly number[], graceSeconds: number | null): readonly number[] {
    const wanted = new Set(tsihs);
    const sessions = [...this.#node.sessions()].filter(({ tsih }) => wanted.has(tsih));
    for (const session of sessions) {
      this.#log.info(`${session.description}: disconnected by the administrator`);
      if (graceSeconds === null) this.#node.endSession(session);
      else this.#node.requestLogout(session, graceSeconds);
    }
    return sessions.map(({ tsih }) => tsih);
  }

  /** Returns the reservations of all logical units that have any. */
  reservations(): UnitReservations[] {
    return [...this.#targets.byName.values()].flatMap(reportReservations);
  }

  /**
   * Clears the reservations of a logical unit.
   *
   * @throws {Error} (rejects) when the unit does not exist, or the result cannot be stored
   */
  async clearReservations(name: string, lun: number): Promise<void> {
    const unit = this.unitOf({ target: name, lun });
    if (unit.logicalUnit.reservations.areUnknown) throw new Error(unit.problem);
    await unit.logicalUnit.reservations.clear();
    this.#log.info(`Reservations of LUN ${lun} of [${name}] cleared by the administrator`);
  }

  /**
   * Returns a logical unit by the name of its target in the conf.
   *
   * @throws {Error} when it does not exist
   */
  unitOf({ target, lun }: UnitAddress): ServedUnit {
    const unit = this.#targets.byName.get(target)?.units.get(lun);
    if (unit === undefined) throw new Error(`There is no LUN ${lun} of [${target}]`);
    return unit;
  }

  /**
   * Takes a logical unit out of service until `readmit`, and closes its files.
   *
   * @throws {Error} (rejects) when an initiator has a session with its target, or it is not ready
   */
  async withdraw({ target, lun }: UnitAddress): Promise<void> {
    const unit = this.unitOf({ target, lun });
    const session = [...this.#node.sessions()].find((session) => session.target?.config.name === target);
    if (session !== undefined) {
      throw new Error(
        `[${target}] is in use: ${session.identity.initiatorName} is logged in; log it out first`,
      );
    }
    await unit.withdraw();
    this.#absent.retry();
  }

  /** Ends `withdraw`: the files of a logical unit may be opened again. */
  readmit(address: UnitAddress): void {
    this.unitOf(address).readmit();
  }

  /**
   * Gives the space of blocks of a logical unit back that hold only zeros.
   *
   * @throws {Error} (rejects) when that is not possible now; the message is for the user
   */
  async trim({ target, lun, ...limits }: UnitAddress & TrimLimits): Promise<TrimFigures> {
    const figures = await this.unitOf({ target, lun }).trim(limits);
    this.#log.info(`Trimmed LUN ${lun} of [${target}]: ${formatSize(figures.releasedBytes)} released`);
    return figures;
  }

  /**
   * Stops in order: accepts no connections and commands, closes every connection, and flushes every store.
   *
   * @throws {StoreError} (rejects) when written data cannot be flushed
   */
  async stop(): Promise<void> {
    this.#absent.end();
    this.#listeners.close();
    await this.#targets.stop(() => this.#node.stop());
  }

  /** Closes connections and files at once. Operations off the event loop go on. */
  abort(): void {
    this.#absent.end();
    this.#listeners.close();
    this.#node.abort();
    this.#targets.abort();
  }
}

/** Returns the limits of a worker. Discovery sessions are divided, because a worker can only displace its own. */
function limitsOf(config: Config): SessionLimits {
  const { sessions, connections } = config;
  const discoverySessions = Math.max(1, Math.floor(Limits.discoverySessions / portsOf(config).length));
  return { sessions, connections, discoverySessions };
}

/** Returns the sessions that a change affects. There can be as many changes as targets, each with its own sessions. */
function affectedBy(change: Change, { all, byTarget, refused }: InvolvedSessions): readonly Session[] {
  const concerned = "target" in change ? byTarget.get(change.target) ?? [] : all;
  switch (consequenceOf(change)) {
    case "unnoticed":
      return [];
    case "admitted":
      return concerned.filter((session) => refused.has(session));
    default:
      return concerned;
  }
}

function describeSession({ identity, ends, target }: Session): TouchedSession {
  return { initiator: identity.initiatorName, address: ends.peerAddress, target: target?.config.name ?? "" };
}
