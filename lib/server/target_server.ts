/**
 * Everything that the target worker runs: stores, logical units, the node, and the sockets it listens at. It knows
 * nothing of workers and messages, so that tests run it as it is.
 */
import type { InterfaceAddress } from "../access/interfaces.ts";
import type { Portal } from "../access/portals.ts";
import type { Config, DiskConfig, TargetConfig } from "../config/config.ts";
import { serialNumberOf } from "../config/disk.ts";
import type { EventLog } from "../iscsi/event_log.ts";
import { TARGET_PORTAL_GROUP_TAG } from "../iscsi/login.ts";
import type { NodeSnapshot } from "../iscsi/node_snapshot.ts";
import type { Target } from "../iscsi/target.ts";
import { TargetNode } from "../iscsi/target_node.ts";
import { atomicJournalOf } from "../provision/state_folder.ts";
import type { Identity } from "../scsi/identity.ts";
import { LogicalUnit, type LogicalUnitOptions } from "../scsi/logical_unit.ts";
import type { SpaceFigures } from "../scsi/provisioning.ts";
import { TargetDevice } from "../scsi/target_device.ts";
import { AdaptiveStore } from "../store/adaptive_store.ts";
import { type AtomicJournal, AtomicJournalFile } from "../store/atomic_journal.ts";
import type { BlockStore } from "../store/block_store.ts";
import { FileStore } from "../store/file_store.ts";
import type { HolePuncher } from "../store/hole_puncher.ts";
import { ThinStore } from "../store/thin_store.ts";
import { PortalListener } from "./portal_listener.ts";
import { describeDamage, openReservationFile } from "./reservation_file.ts";
import { systemClock } from "./system_clock.ts";

/** What is to be served, and where. */
export interface TargetServerOptions {
  readonly config: Config;
  /** By the path of the backing file. */
  readonly identities: ReadonlyMap<string, Identity>;
  /** What to open in place of a block device, by its path. */
  readonly deviceNodes: ReadonlyMap<string, string>;
  readonly interfaces: readonly InterfaceAddress[];
  readonly portals: readonly Portal[];
  /** What makes holes in a backing file; undefined where nothing can. By default nothing can anywhere. */
  readonly puncherOf?: (path: string) => HolePuncher | undefined;
  readonly log: EventLog;
}

type UnitKind = Omit<
  LogicalUnitOptions,
  "store" | "journal" | "identity" | "readOnly" | "reservationStore"
>;

/** A running target. */
export class TargetServer {
  readonly #node: TargetNode;
  readonly #stores: readonly BlockStore[];
  /** By the path of the backing file. */
  readonly #units: ReadonlyMap<string, LogicalUnit>;
  readonly #listeners: readonly PortalListener[];

  private constructor(
    node: TargetNode,
    stores: readonly BlockStore[],
    units: ReadonlyMap<string, LogicalUnit>,
    listeners: readonly PortalListener[],
  ) {
    this.#node = node;
    this.#stores = stores;
    this.#units = units;
    this.#listeners = listeners;
  }

  /**
   * Opens every backing file, listens at every portal, and serves.
   *
   * @throws {Error} when a file cannot be opened or an address cannot be listened at; nothing stays open then
   */
  static start(options: TargetServerOptions): TargetServer {
    const { config, interfaces, portals, log } = options;
    const stores: BlockStore[] = [];
    const listeners: PortalListener[] = [];
    try {
      const targets: Target[] = [];
      const units = new Map<string, LogicalUnit>();
      for (const target of config.targets) targets.push(openTarget(target, options, stores, units));
      const node = new TargetNode({ targets, limits: config, interfaces, log, clock: systemClock });
      const serve = node.serve.bind(node);
      for (const portal of portals) listeners.push(new PortalListener(portal, { serve, log }));
      return new TargetServer(node, stores, units, listeners);
    } catch (error) {
      for (const listener of listeners) listener.close();
      for (const store of stores) store.close();
      throw error;
    }
  }

  /** Where it listens. */
  get addresses(): readonly Deno.NetAddr[] {
    return this.#listeners.map(({ address }) => address);
  }

  /** Takes note of the space that backing files take, by their paths. */
  updateSpace(figures: ReadonlyMap<string, SpaceFigures>): void {
    for (const [path, space] of figures) this.#units.get(path)?.updateSpace(space);
  }

  /** How it is at this moment. */
  snapshot(): NodeSnapshot {
    return this.#node.snapshot();
  }

  /**
   * Ends in order: no new connections, no new commands, every connection closed, every store flushed.
   *
   * @throws {StoreError} when what was written cannot be made safe
   */
  async stop(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    const sanitized = [...this.#units.values()].map(({ sanitizer }) => sanitizer.cancel());
    await this.#node.stop();
    await Promise.all(sanitized);
    await Promise.all(this.#stores.map((store) => store.readOnly ? undefined : store.flush()));
    for (const { journal, writeProtected } of this.#units.values()) {
      if (!writeProtected) await journal?.flush();
      journal?.close();
    }
    for (const store of this.#stores) store.close();
  }
}

function openTarget(
  config: TargetConfig,
  options: TargetServerOptions,
  stores: BlockStore[],
  units: Map<string, LogicalUnit>,
): Target {
  const { identities, deviceNodes } = options;
  const { disk } = config;
  const logicalUnits = new Map<number, LogicalUnit>();
  for (const { number, path, sizeBytes } of config.logicalUnits) {
    const file = FileStore.open(deviceNodes.get(path) ?? path, { sizeBytes, readOnly: config.readOnly });
    const journal = openJournal(file, identities.get(path)!, options);
    const puncher = options.puncherOf?.(path);
    const thin = puncher === undefined ? file : new ThinStore(file, { puncher, isEmpty: file.isEmpty });
    const store = new AdaptiveStore(thin, () => performance.now());
    stores.push(store);
    const recorded = identities.get(path)!;
    const identity = { ...recorded, serialNumber: serialNumberOf(disk, number) ?? recorded.serialNumber };
    const reservationStore = openReservationFile(options.config.storage, identity, options.log);
    const unit = makeUnit({
      store,
      journal,
      identity,
      readOnly: config.readOnly,
      reservationStore,
      ...kindOf(disk),
    }, options);
    logicalUnits.set(number, unit);
    units.set(path, unit);
  }
  const portalGroup = TARGET_PORTAL_GROUP_TAG.toString(16).padStart(4, "0");
  const device = new TargetDevice({
    name: config.iscsiName,
    portName: `${config.iscsiName},t,0x${portalGroup}`,
    relativePortIdentifier: TARGET_PORTAL_GROUP_TAG,
    logicalUnits,
  });
  return { config, device };
}

/** Makes a logical unit, or says which file keeps it from being made. */
function makeUnit(unit: LogicalUnitOptions, { config }: TargetServerOptions): LogicalUnit {
  try {
    return new LogicalUnit(unit);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Error(describeDamage(config.storage, unit.identity, error.message), { cause: error });
  }
}

/** Opens the journal of a backing file, and first takes back what the death of a server has left half done. */
function openJournal(
  file: FileStore,
  { naa }: Identity,
  { config, log }: TargetServerOptions,
): AtomicJournal {
  const path = atomicJournalOf(config.storage, naa);
  const journal = new AtomicJournalFile(path);
  try {
    if (journal.recover(file)) log.warning(`Took back an interrupted atomic write, recorded in "${path}"`);
  } catch (error) {
    file.close();
    throw error;
  }
  return journal;
}

/** What the conf says of the disk, as far as it says anything, in the words of a logical unit. */
function kindOf({ blockSizeBytes, physicalBlockSizeBytes, removable, ...texts }: DiskConfig): UnitKind {
  const { vendor, product, revision } = texts;
  return {
    blockSizeBytes,
    physicalBlockSizeBytes,
    removable,
    ...(vendor !== undefined && { vendor }),
    ...(product !== undefined && { product }),
    ...(revision !== undefined && { revision }),
  };
}
