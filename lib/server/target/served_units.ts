import type { LogicalUnitConfig, TargetConfig } from "../../config/config.ts";
import type { Change } from "../../config/config_difference.ts";
import type { Clock } from "../../iscsi/clock.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import type { TargetNode } from "../../iscsi/node/target_node.ts";
import type { Nexus } from "../../scsi/nexus.ts";
import type { SpaceFigures } from "../../scsi/pages/provisioning.ts";
import { ServedTarget } from "./served_target.ts";
import { ServedUnit } from "./served_unit.ts";
import type { TargetServerSettings } from "./target_server_settings.ts";
import type { BackingOptions } from "./unit_backing.ts";
import { addedUnits, replacedUnits, type UnitChange } from "./unit_changes.ts";

/** The collaborators of served units. */
export interface ServedUnitsOptions {
  readonly node: Pick<TargetNode, "drained" | "workDone">;
  readonly log: EventLog;
  readonly clock: Clock;
  /** Called when a backing has been closed that was removed from the conf, or that is being replaced. */
  readonly onClosed: (path: string) => void;
  /** Called when a logical unit was added after the change that asked for it. */
  readonly onLateUnit: () => void;
  /** Called with the path of a backing that fails. */
  readonly onFault?: ((path: string) => void) | undefined;
}

/** Opened logical units by path, which the next configuration adds. */
export type PreparedUnits = ReadonlyMap<string, ServedUnit>;

/**
 * The logical units of the conf, in their targets. Each file is open once: a unit that moves to another target is
 * added there when its file is closed.
 */
export class ServedUnits {
  readonly #options: ServedUnitsOptions;
  readonly #targets = new Map<string, ServedTarget>();
  /** Every open unit by path: those of the targets, and those about to be closed. */
  readonly #open = new Map<string, ServedUnit>();
  /** Promises by path, each resolved when the unit that had the file is closed. */
  readonly #closing = new Map<string, Promise<void>>();
  #settings: TargetServerSettings;
  #isStopping = false;

  constructor(settings: TargetServerSettings, options: ServedUnitsOptions) {
    this.#settings = settings;
    this.#options = options;
  }

  /** The targets by the names of the conf. */
  get byName(): ReadonlyMap<string, ServedTarget> {
    return this.#targets;
  }

  /** The options with which backings are opened under the current settings. */
  get backingOptions(): BackingOptions {
    return this.#backingOptions(this.#settings);
  }

  /** Records the space that backing files take, by their paths. */
  updateSpace(figures: ReadonlyMap<string, SpaceFigures>): void {
    for (const [path, space] of figures) this.#open.get(path)?.logicalUnit.updateSpace(space);
  }

  /**
   * Opens the units that the changes add, except those whose files are still open. Prepares the units that stay.
   *
   * @throws {Error} when a new unit cannot be opened, unless `mayMissUnits`; then nothing stays open
   */
  prepare(changes: readonly Change[], settings: TargetServerSettings, mayMissUnits: boolean): PreparedUnits {
    const units = new Map<string, ServedUnit>();
    try {
      for (const { target, unit } of addedUnits(changes, settings)) {
        if (this.#open.has(unit.path)) continue;
        const served = this.#openUnit(target, unit, settings);
        units.set(unit.path, served);
        const isExpected = mayMissUnits || settings.unavailable?.has(unit.path) ||
          settings.arriving?.has(unit.path);
        if (served.problem !== undefined && !isExpected) throw new Error(served.problem);
      }
      const replaced = replacedUnits(changes);
      for (const target of settings.config.targets) {
        this.#prepareKept(target, replaced.get(target.name) ?? [], settings);
      }
      return units;
    } catch (error) {
      this.discard(units);
      throw error;
    }
  }

  /** Closes prepared units, because the configuration is not applied. */
  discard(units: PreparedUnits): void {
    for (const unit of units.values()) unit.close();
  }

  /** Applies the changes with the prepared units, and returns the targets in the order of the conf. */
  apply(changes: readonly Change[], settings: TargetServerSettings, units: PreparedUnits): ServedTarget[] {
    const { targets: configs } = settings.config;
    this.#settings = settings;
    const byName = new Map(configs.map((target) => [target.name, target]));
    for (const change of changes) this.#apply(change, byName, units);
    for (const config of configs) this.#targets.get(config.name)!.follow(config, settings.backingLinks);
    const targets = configs.map(({ name }) => this.#targets.get(name)!);
    for (const target of targets) this.#addMissing(target);
    for (const path of settings.lost ?? []) this.#closeLost(path);
    for (const { isWithdrawn, path } of this.#open.values()) {
      if (isWithdrawn && settings.arriving?.has(path)) this.#options.onClosed(path);
    }
    return targets;
  }

  /**
   * Flushes and closes every unit.
   *
   * @param stopNode stops commands and connections; runs while sanitize and format operations end
   * @throws {StoreError} (rejects) when written data cannot be flushed
   */
  async stop(stopNode: () => Promise<void>): Promise<void> {
    this.#isStopping = true;
    const erased = [...this.#open.values()].map((unit) => unit.endJobs());
    await stopNode();
    await Promise.all([...erased, ...this.#closing.values()]);
    await Promise.all(this.#open.values().map((unit) => unit.flush()));
    this.abort();
    this.#open.clear();
  }

  /** Closes every unit at once. Operations off the event loop go on. */
  abort(): void {
    this.#isStopping = true;
    for (const unit of this.#open.values()) unit.close();
  }

  #prepareKept(
    target: TargetConfig,
    replaced: readonly UnitChange[],
    { backingLinks, lost }: TargetServerSettings,
  ): void {
    const luns = new Set(replaced.map(({ lun }) => lun));
    for (const unit of target.logicalUnits) {
      if (luns.has(unit.number) || lost?.has(unit.path)) continue;
      this.#targets.get(target.name)?.units.get(unit.number)?.prepare(target, unit, backingLinks);
    }
  }

  #openUnit(target: TargetConfig, unit: LogicalUnitConfig, settings: TargetServerSettings): ServedUnit {
    return ServedUnit.open(target, unit, this.#backingOptions(settings));
  }

  #backingOptions(settings: TargetServerSettings): BackingOptions {
    const { log, clock, onFault } = this.#options;
    return { ...settings, log, clock, onFault };
  }

  #apply(change: Change, configs: ReadonlyMap<string, TargetConfig>, units: PreparedUnits): void {
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
        // `ServedTarget.follow` and `TargetNode.reconfigure` apply these.
        return;
    }
  }

  #addTarget(config: TargetConfig, units: PreparedUnits): void {
    const ready = config.logicalUnits.filter(({ path }) => units.has(path));
    const target = new ServedTarget(
      config,
      new Map(ready.map(({ number, path }) => [number, units.get(path)!])),
    );
    this.#targets.set(config.name, target);
    for (const { path } of ready) this.#open.set(path, units.get(path)!);
  }

  /** Adds the units whose files are still open elsewhere, or that have only now received an identity. */
  #addMissing(target: ServedTarget): void {
    for (const { number, path } of target.config.logicalUnits) {
      if (!target.units.has(number)) this.#addWhenFree(target, number, path);
    }
  }

  #removeTarget(name: string): void {
    const target = this.#targets.get(name)!;
    this.#targets.delete(name);
    const drained = this.#options.node.drained(target);
    for (const unit of target.units.values()) this.#closeWhenIdle(unit, drained);
  }

  /** Closes a unit whose device is gone or another one, and opens it again as soon as that is possible. */
  async #closeLost(path: string): Promise<void> {
    const served = this.#open.get(path);
    if (served === undefined || this.#closing.has(path)) return;
    const reason = this.#settings.unavailable?.get(path);
    await served.depart(
      reason ?? `Device "${path}" has changed, and is opened again`,
      reason === undefined,
    );
    if (this.#isStopping) return;
    this.#options.onClosed(path);
    this.#options.onLateUnit();
  }

  #addUnit({ target: name, lun, path }: UnitChange, units: PreparedUnits): void {
    const unit = units.get(path);
    if (unit !== undefined) this.#place(this.#targets.get(name)!, lun, unit);
  }

  #removeUnit({ target: name, lun }: UnitChange): void {
    const target = this.#targets.get(name)!;
    const unit = target.units.get(lun);
    if (unit === undefined) return;
    target.units.delete(lun);
    this.#closeWhenIdle(unit, target.device.remove(lun).then(() => this.#options.node.workDone(target)));
  }

  #replaceUnit(change: UnitChange, units: PreparedUnits): void {
    const target = this.#targets.get(change.target)!;
    const former = new Set(target.device.nexuses);
    this.#removeUnit(change);
    const unit = units.get(change.path);
    if (unit === undefined) this.#addWhenFree(target, change.lun, change.path, former);
    else this.#place(target, change.lun, unit, former);
  }

  /** Adds a unit to a target. `former` are nexuses of a unit that had the same number. */
  #place(target: ServedTarget, lun: number, unit: ServedUnit, former?: ReadonlySet<Nexus>): void {
    this.#open.set(unit.path, unit);
    target.units.set(lun, unit);
    target.device.add(lun, unit.logicalUnit, former);
  }

  /** Adds a unit when its file has been closed, unless the conf has changed meanwhile. */
  async #addWhenFree(
    target: ServedTarget,
    lun: number,
    path: string,
    former?: ReadonlySet<Nexus>,
  ): Promise<void> {
    // A later step of the same change may remove the unit that has the file open.
    await Promise.resolve();
    for (let closed = this.#closing.get(path); closed !== undefined; closed = this.#closing.get(path)) {
      await closed;
    }
    const unit = target.config.logicalUnits.find((unit) => unit.number === lun && unit.path === path);
    const isWanted = !this.#isStopping && this.#targets.get(target.config.name) === target &&
      unit !== undefined && !target.units.has(lun) && this.#settings.identities.has(path);
    if (!isWanted) return;
    this.#place(target, lun, this.#openUnit(target.config, unit, this.#settings), former);
    this.#options.onLateUnit();
  }

  /** Closes a unit when `idle` resolves and no operation on it is under way. */
  #closeWhenIdle(unit: ServedUnit, idle: Promise<void>): void {
    this.#closing.set(unit.path, this.#closeAfter(unit, idle));
  }

  async #closeAfter(unit: ServedUnit, idle: Promise<void>): Promise<void> {
    const { path } = unit;
    await Promise.all([idle, unit.endJobs()]);
    const release = await unit.seize();
    if (!this.#isStopping) {
      try {
        await unit.flush();
      } catch (error) {
        this.#options.log.warning(`Cannot flush "${path}", which was removed from the conf: ${error}`);
      }
      unit.close();
      this.#open.delete(path);
      this.#options.onClosed(path);
    }
    release();
    this.#closing.delete(path);
  }
}
