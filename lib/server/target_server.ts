/**
 * Everything that the target worker runs: logical units, the node, and the sockets it listens at, and how they become
 * others while they are in use. It knows nothing of workers and messages, so that tests run it as it is.
 */
import type { InterfaceAddress } from "../access/interfaces.ts";
import type { Portal } from "../access/portals.ts";
import { formatPortal } from "../bytes/network.ts";
import type { Config, LogicalUnitConfig, TargetConfig } from "../config/config.ts";
import { type Change, configDifference, consequenceOf, describeChange } from "../config/config_difference.ts";
import type { ReportedChange, TouchedSession } from "../control/reported_change.ts";
import type { ServedSnapshot } from "../control/unit_problem.ts";
import type { UnitReservations } from "../control/unit_reservations.ts";
import type { ByteStream, ConnectionEnds } from "../iscsi/byte_stream.ts";
import type { Clock } from "../iscsi/clock.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";
import type { Session } from "../iscsi/session/session.ts";
import { TargetNode } from "../iscsi/node/target_node.ts";
import type { Nexus } from "../scsi/nexus.ts";
import type { SpaceFigures } from "../scsi/pages/provisioning.ts";
import { AbsentUnits, type ServedState } from "./absent_units.ts";
import { ConnectionListener } from "./connection_listener.ts";
import { randomBytes } from "./random_bytes.ts";
import { reportReservations } from "./report_reservations.ts";
import { ServedTarget } from "./served_target.ts";
import { type BackingOptions, GRACE_SECONDS, ServedUnit } from "./served_unit.ts";
import { reasonOf } from "../provision/provision_error.ts";

/** What is to be served, and where: what can change while it is. */
export interface TargetServerSettings extends Omit<BackingOptions, "storage" | "log" | "clock"> {
  readonly config: Config;
  readonly interfaces: readonly InterfaceAddress[];
  readonly portals: readonly Portal[];
  /** Listen wherever that can be, even if not at every portal. */
  readonly mayMissPortals?: boolean;
}

/** What is to be served, where, and who hears of it. */
export interface TargetServerOptions extends TargetServerSettings {
  readonly log: EventLog;
  readonly clock: Clock;
  /** Called when a backing that was taken out of the conf has been closed. */
  readonly onClosed?: (path: string) => void;
}

/** What must not fail any more when a change begins to hold. */
interface Prepared {
  /** Of new logical units, by their paths; not of those whose files are still in use by others. */
  readonly units: Map<string, ServedUnit>;
  readonly listeners: ReadonlyMap<string, ConnectionListener>;
  /** Why there are none at some portals, by these. */
  readonly faults: ReadonlyMap<string, string>;
}

/** A running target. */
export class TargetServer {
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #onClosed: (path: string) => void;
  readonly #node: TargetNode;
  readonly #targets = new Map<string, ServedTarget>();
  /** Every unit that is open, by its path: those of the targets, and those that are about to be closed. */
  readonly #open = new Map<string, ServedUnit>();
  /** By path: resolves when what was there is closed. */
  readonly #leaving = new Map<string, Promise<void>>();
  /** By the portal at which they were to listen. */
  #listeners: ReadonlyMap<string, ConnectionListener> = new Map();
  #faults: ReadonlyMap<string, string> = new Map();
  #settings: TargetServerSettings;
  readonly #absent: AbsentUnits;
  #isStopping = false;

  /**
   * Opens the backing files, listens at every portal, and serves. A logical unit that cannot be opened is not ready.
   *
   * @throws {Error} when an address cannot be listened at; nothing stays open then
   */
  static start({ log, clock, ...settings }: TargetServerOptions): TargetServer {
    const nothing = { ...settings, config: { ...settings.config, targets: [] }, portals: [] };
    const server = new TargetServer({ ...nothing, log, clock });
    server.#reconfigure(settings, { mayMissUnits: true });
    return server;
  }

  private constructor({ log, clock, onClosed = () => {}, ...settings }: TargetServerOptions) {
    const { config, interfaces } = settings;
    this.#settings = settings;
    this.#log = log;
    const state = (): ServedState => ({
      config: this.#settings.config,
      targets: this.#targets,
      options: this.#backingOptions(this.#settings),
    });
    this.#absent = new AbsentUnits({ log, clock, state });
    this.#clock = clock;
    this.#onClosed = onClosed;
    this.#node = new TargetNode({
      targets: [],
      limits: config,
      interfaces,
      log,
      clock,
      ping: config,
      chap: config,
      randomBytes,
    });
  }

  /** Where it listens. */
  get addresses(): readonly Deno.NetAddr[] {
    return [...this.#listeners.values()].map(({ address }) => address);
  }

  /** Why it does not listen at some of its portals: they are tried again with every change. */
  get faults(): readonly string[] {
    return [...this.#faults.values()];
  }

  /** Serves a peer that somebody else has accepted, until it is gone. */
  serve(stream: ByteStream, ends: ConnectionEnds): Promise<void> {
    return this.#node.serve(stream, ends);
  }

  /** Takes note of the space that backing files take, by their paths. */
  updateSpace(figures: ReadonlyMap<string, SpaceFigures>): void {
    for (const [path, space] of figures) this.#open.get(path)?.logicalUnit.updateSpace(space);
  }

  /** What would change if this were served, and which sessions would notice. */
  preview({ config, interfaces }: Pick<TargetServerSettings, "config" | "interfaces">): ReportedChange[] {
    const refused = new Set(this.#node.refusedBy(config.targets, interfaces));
    return configDifference(this.#settings.config, config).map((change) => ({
      description: describeChange(change),
      consequence: consequenceOf(change),
      sessions: this.#touchedBy(change, refused).map(describeSession),
    }));
  }

  /**
   * Serves something else from now on, or as soon as what is under way allows it. Whom that does not concern does not
   * notice.
   *
   * @returns what has changed
   * @throws {Error} when a file cannot be opened or an address cannot be listened at; nothing has changed then
   */
  reconfigure(settings: TargetServerSettings): ReportedChange[] {
    return this.#reconfigure(settings, { mayMissUnits: false });
  }

  #reconfigure(
    settings: TargetServerSettings,
    { mayMissUnits }: { mayMissUnits: boolean },
  ): ReportedChange[] {
    const { config, interfaces } = settings;
    const changes = configDifference(this.#settings.config, config);
    const report = this.preview(settings);
    const refused = new Set(this.#node.refusedBy(config.targets, interfaces));
    const prepared = this.#prepare(changes, settings, mayMissUnits);
    const leaving = changes.flatMap((change) =>
      this.#touchedBy(change, refused).filter(() => isFarewell(change))
    );
    this.#settings = settings;
    this.#replaceListeners(prepared);
    const configs = new Map(config.targets.map((target) => [target.name, target]));
    for (const change of changes) this.#apply(change, configs, prepared.units);
    for (const target of config.targets) {
      this.#targets.get(target.name)!.follow(target, settings.backingLinks);
    }
    const targets = config.targets.map(({ name }) => this.#targets.get(name)!);
    for (const target of targets) this.#addMissing(target);
    this.#absent.retry();
    this.#node.reconfigure({ targets, limits: config, interfaces, ping: config, chap: config });
    for (const session of new Set(leaving)) this.#node.requestLogout(session, GRACE_SECONDS);
    return report;
  }

  /** Returns how it is at this moment. */
  snapshot(): ServedSnapshot {
    return { ...this.#node.snapshot(), problems: this.#absent.problems() };
  }

  /**
   * Ends sessions, by their target session identifying handles: their initiators are asked to log out and cut when they
   * have not after a while, or at once if `graceSeconds` is null.
   *
   * @returns those that there are
   */
  disconnect(tsihs: readonly number[], graceSeconds: number | null): readonly number[] {
    const sessions = [...this.#node.sessions()].filter(({ tsih }) => tsihs.includes(tsih));
    for (const session of sessions) {
      this.#log.info(`${session.description}: disconnected by the administrator`);
      if (graceSeconds === null) this.#node.endSession(session);
      else this.#node.requestLogout(session, graceSeconds);
    }
    return sessions.map(({ tsih }) => tsih);
  }

  /** What is reserved of the logical units. */
  reservations(): UnitReservations[] {
    return [...this.#targets.values()].flatMap(reportReservations);
  }

  /**
   * Clears what is reserved of a logical unit.
   *
   * @throws {Error} (rejects) when there is no such unit, or when that cannot be kept
   */
  async clearReservations(name: string, lun: number): Promise<void> {
    const unit = this.#targets.get(name)?.units.get(lun);
    if (unit === undefined) throw new Error(`There is no LUN ${lun} of [${name}]`);
    if (unit.logicalUnit.reservations.areUnknown) throw new Error(unit.problem);
    await unit.logicalUnit.reservations.clear();
    this.#log.info(`Reservations of LUN ${lun} of [${name}] cleared by the administrator`);
  }

  /**
   * Ends in order: no new connections, no new commands, every connection closed, every store flushed.
   *
   * @throws {StoreError} when what was written cannot be made safe
   */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#absent.end();
    for (const listener of this.#listeners.values()) listener.close();
    const sanitized = [...this.#open.values()].map((unit) => unit.endSanitize());
    await this.#node.stop();
    await Promise.all([...sanitized, ...this.#leaving.values()]);
    await Promise.all(this.#open.values().map((unit) => unit.flush()));
    for (const unit of this.#open.values()) unit.close();
    this.#open.clear();
  }

  /** Ends at once: connections and files are closed. What is under way off the event loop goes on. */
  abort(): void {
    this.#isStopping = true;
    this.#absent.end();
    for (const listener of this.#listeners.values()) listener.close();
    this.#node.abort();
    for (const unit of this.#open.values()) unit.close();
  }

  #touchedBy(change: Change, refused: ReadonlySet<Session>): Session[] {
    const concerned = [...this.#node.sessions()].filter(({ target }) =>
      target !== undefined && (!("target" in change) || target.config.name === change.target)
    );
    switch (consequenceOf(change)) {
      case "unnoticed":
        return [];
      case "admitted":
        return concerned.filter((session) => refused.has(session));
      default:
        return concerned;
    }
  }

  /** Does all that may fail. What is done by then is undone when something fails. */
  #prepare(changes: readonly Change[], settings: TargetServerSettings, mayMissUnits: boolean): Prepared {
    const units = new Map<string, ServedUnit>();
    const listeners = new Map(this.#listeners);
    try {
      for (const { target, unit } of newUnits(changes, settings)) {
        if (this.#open.has(unit.path)) continue;
        const served = this.#openUnit(target, unit, settings);
        units.set(unit.path, served);
        const isExpected = mayMissUnits || settings.unavailable?.has(unit.path);
        if (served.problem !== undefined && !isExpected) throw new Error(served.problem);
      }
      const replaced = replacedUnits(changes);
      for (const target of settings.config.targets) {
        this.#prepareUnits(target, replaced.get(target.name) ?? [], settings);
      }
      return { units, listeners, faults: this.#prepareListeners(listeners, settings) };
    } catch (error) {
      for (const unit of units.values()) unit.close();
      for (const [key, listener] of listeners) if (!this.#listeners.has(key)) listener.close();
      throw error;
    }
  }

  /** Makes listeners those of these settings, and returns why there are none at some of their portals. */
  #prepareListeners(
    listeners: Map<string, ConnectionListener>,
    { portals, mayMissPortals = false }: TargetServerSettings,
  ): Map<string, string> {
    const wanted = new Map(portals.map((portal) => [keyOf(portal), portal]));
    const faults = new Map<string, string>();
    for (const key of listeners.keys()) if (!wanted.has(key)) listeners.delete(key);
    for (const [key, portal] of wanted) {
      if (listeners.has(key)) continue;
      try {
        listeners.set(key, this.#listen(portal));
      } catch (error) {
        const fault = `Cannot listen at ${key}: ${reasonOf(error)}`;
        // Where it did not listen before either, nothing gets worse.
        if (!mayMissPortals && !this.#faults.has(key)) throw new Error(fault, { cause: error });
        faults.set(key, fault);
      }
    }
    return faults;
  }

  /** Prepares the units that a target keeps. */
  #prepareUnits(
    target: TargetConfig,
    replaced: readonly UnitChange[],
    { backingLinks }: TargetServerSettings,
  ): void {
    const luns = new Set(replaced.map(({ lun }) => lun));
    for (const unit of target.logicalUnits) {
      if (luns.has(unit.number)) continue;
      this.#targets.get(target.name)?.units.get(unit.number)?.prepare(target, unit, backingLinks);
    }
  }

  #openUnit(target: TargetConfig, unit: LogicalUnitConfig, settings: TargetServerSettings): ServedUnit {
    return ServedUnit.open(target, unit, this.#backingOptions(settings));
  }

  #backingOptions(settings: TargetServerSettings): BackingOptions {
    const { config: { storage } } = settings;
    return { ...settings, storage, log: this.#log, clock: this.#clock };
  }

  #listen(portal: Portal): ConnectionListener {
    return new ConnectionListener(portal, { serve: this.serve.bind(this), log: this.#log });
  }

  #replaceListeners({ listeners, faults }: Prepared): void {
    for (const [key, listener] of this.#listeners) if (!listeners.has(key)) listener.close();
    this.#listeners = listeners;
    this.#faults = faults;
  }

  #apply(
    change: Change,
    configs: ReadonlyMap<string, TargetConfig>,
    units: ReadonlyMap<string, ServedUnit>,
  ): void {
    switch (change.kind) {
      case "targetAdded":
        return this.#addTarget(configs.get(change.target)!, units);
      case "targetRemoved":
        return this.#removeTarget(change.target);
      case "logicalUnitAdded":
        return this.#addUnit(change, units);
      case "logicalUnitRemoved":
        return this.#removeUnit(change);
      case "logicalUnitReplaced":
        return this.#replaceUnit(change, units);
      case "logicalUnitGrown":
      case "targetOptionChanged":
      case "serverOptionChanged":
        // The target follows its conf, and the node its limits.
        return;
    }
  }

  #addTarget(config: TargetConfig, units: ReadonlyMap<string, ServedUnit>): void {
    const ready = config.logicalUnits.filter(({ path }) => units.has(path));
    const target = new ServedTarget(
      config,
      new Map(ready.map(({ number, path }) => [number, units.get(path)!])),
    );
    this.#targets.set(config.name, target);
    for (const { path } of ready) this.#open.set(path, units.get(path)!);
  }

  /** Adds the units whose files are still in use by others, or that have got an identity only now. */
  #addMissing(target: ServedTarget): void {
    for (const { number, path } of target.config.logicalUnits) {
      if (!target.units.has(number)) this.#addWhenFree(target, number, path);
    }
  }

  #removeTarget(name: string): void {
    const target = this.#targets.get(name)!;
    this.#targets.delete(name);
    const drained = this.#node.drained(target);
    for (const unit of target.units.values()) this.#leave(unit, drained);
  }

  #addUnit({ target: name, lun, path }: UnitChange, units: ReadonlyMap<string, ServedUnit>): void {
    const target = this.#targets.get(name)!;
    const unit = units.get(path);
    if (unit !== undefined) this.#place(target, lun, unit);
  }

  #removeUnit({ target: name, lun }: UnitChange): void {
    const target = this.#targets.get(name)!;
    const unit = target.units.get(lun);
    if (unit === undefined) return;
    target.units.delete(lun);
    this.#leave(unit, target.device.remove(lun).then(() => this.#node.workDone(target)));
  }

  #replaceUnit(change: UnitChange, units: ReadonlyMap<string, ServedUnit>): void {
    const target = this.#targets.get(change.target)!;
    const strangers = new Set(target.device.nexuses);
    this.#removeUnit(change);
    const unit = units.get(change.path);
    if (unit === undefined) this.#addWhenFree(target, change.lun, change.path, strangers);
    else this.#place(target, change.lun, unit, strangers);
  }

  #place(target: ServedTarget, lun: number, unit: ServedUnit, strangers?: ReadonlySet<Nexus>): void {
    this.#open.set(unit.path, unit);
    target.units.set(lun, unit);
    target.device.add(lun, unit.logicalUnit, strangers);
  }

  /** Adds a unit once its file is closed by another one. By then the conf may want it otherwise, or not any more. */
  async #addWhenFree(
    target: ServedTarget,
    lun: number,
    path: string,
    strangers?: ReadonlySet<Nexus>,
  ): Promise<void> {
    // What is to leave in the same change may not have been told so yet.
    await Promise.resolve();
    for (let left = this.#leaving.get(path); left !== undefined; left = this.#leaving.get(path)) await left;
    const unit = target.config.logicalUnits.find((unit) => unit.number === lun && unit.path === path);
    const isWanted = !this.#isStopping && this.#targets.get(target.config.name) === target &&
      unit !== undefined && !target.units.has(lun) && this.#settings.identities.has(path);
    if (!isWanted) return;
    this.#place(target, lun, this.#openUnit(target.config, unit, this.#settings), strangers);
    this.#absent.retry();
  }

  /** Closes a unit when nothing is under way at it any more. */
  #leave(unit: ServedUnit, idle: Promise<void>): void {
    const left = this.#closeAfter(unit, idle);
    this.#leaving.set(unit.path, left);
  }

  async #closeAfter(unit: ServedUnit, idle: Promise<void>): Promise<void> {
    const { path } = unit;
    await Promise.all([idle, unit.endSanitize()]);
    const release = await unit.seize();
    if (!this.#isStopping) {
      try {
        await unit.flush();
      } catch (error) {
        this.#log.warning(`Cannot flush "${path}", which is not served any more: ${error}`);
      }
      unit.close();
      this.#open.delete(path);
      this.#onClosed(path);
    }
    release();
    this.#leaving.delete(path);
  }
}

/** What a change of a logical unit says of its place. */
type UnitChange = Pick<Change & { kind: "logicalUnitAdded" }, "target" | "lun" | "path">;

/** Whether those who are touched by a change are to log out. */
function isFarewell(change: Change): boolean {
  return ["admitted", "loggedIn", "loggedOut"].includes(consequenceOf(change));
}

/** The logical units that a change of the conf replaces, by the names of their targets. */
function replacedUnits(changes: readonly Change[]): ReadonlyMap<string, readonly UnitChange[]> {
  const replaced = changes.flatMap((change) => change.kind === "logicalUnitReplaced" ? [change] : []);
  return Map.groupBy(replaced, ({ target }) => target);
}

/** The logical units that a change of the conf brings, as far as they have an identity. */
function newUnits(
  changes: readonly Change[],
  { config: { targets }, identities }: TargetServerSettings,
): { readonly target: TargetConfig; readonly unit: LogicalUnitConfig }[] {
  const byName = new Map(targets.map((target) => [target.name, target]));
  return changes.flatMap((change) => {
    const target = "target" in change ? byName.get(change.target) : undefined;
    if (target === undefined) return [];
    const isNew = (lun: number): boolean =>
      change.kind === "targetAdded" ||
      ((change.kind === "logicalUnitAdded" || change.kind === "logicalUnitReplaced") && change.lun === lun);
    return target.logicalUnits.filter(({ number, path }) => isNew(number) && identities.has(path))
      .map((unit) => ({ target, unit }));
  });
}

function keyOf({ address, port }: Portal): string {
  return formatPortal(address, port);
}

function describeSession({ identity, ends, target }: Session): TouchedSession {
  return { initiator: identity.initiatorName, address: ends.peerAddress, target: target?.config.name ?? "" };
}
