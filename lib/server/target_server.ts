/**
 * Everything that the target worker runs: stores, logical units, the node, and the sockets it listens at. It knows
 * nothing of workers and messages, so that tests run it as it is.
 */
import type { InterfaceAddress } from "../access/interfaces.ts";
import type { Portal } from "../access/portals.ts";
import { plainAddress } from "../bytes/network.ts";
import type { Config, DiskConfig, TargetConfig } from "../config/config.ts";
import { serialNumberOf } from "../config/disk.ts";
import type { EventLog } from "../iscsi/event_log.ts";
import { type Target, TargetNode } from "../iscsi/target_node.ts";
import { TARGET_PORTAL_GROUP_TAG } from "../iscsi/login.ts";
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
import { describeDamage, openReservationFile } from "./reservation_file.ts";

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

/** How long to wait when the system has no more sockets to give. */
const ACCEPT_RETRY_MS = 100;

/** A running target. */
export class TargetServer {
  readonly #node: TargetNode;
  readonly #stores: readonly BlockStore[];
  /** By the path of the backing file. */
  readonly #units: ReadonlyMap<string, LogicalUnit>;
  readonly #listeners: readonly Deno.TcpListener[];
  readonly #log: EventLog;
  #isStopping = false;

  private constructor(
    node: TargetNode,
    stores: readonly BlockStore[],
    units: ReadonlyMap<string, LogicalUnit>,
    listeners: readonly Deno.TcpListener[],
    log: EventLog,
  ) {
    this.#node = node;
    this.#stores = stores;
    this.#units = units;
    this.#listeners = listeners;
    this.#log = log;
  }

  /**
   * Opens every backing file, listens at every portal, and serves.
   *
   * @throws {Error} when a file cannot be opened or an address cannot be listened at; nothing stays open then
   */
  static start(options: TargetServerOptions): TargetServer {
    const { config, interfaces, portals, log } = options;
    const stores: BlockStore[] = [];
    const listeners: Deno.TcpListener[] = [];
    try {
      const targets: Target[] = [];
      const units = new Map<string, LogicalUnit>();
      for (const target of config.targets) targets.push(openTarget(target, options, stores, units));
      for (const portal of portals) listeners.push(listen(portal));
      const node = new TargetNode({ targets, limits: config, interfaces, log });
      const server = new TargetServer(node, stores, units, listeners, log);
      for (const listener of listeners) server.#accept(listener);
      return server;
    } catch (error) {
      for (const listener of listeners) listener.close();
      for (const store of stores) store.close();
      throw error;
    }
  }

  /** Where it listens. */
  get addresses(): readonly Deno.NetAddr[] {
    return this.#listeners.map(({ addr }) => addr);
  }

  /** Takes note of the space that backing files take, by their paths. */
  updateSpace(figures: ReadonlyMap<string, SpaceFigures>): void {
    for (const [path, space] of figures) this.#units.get(path)?.updateSpace(space);
  }

  /**
   * Ends in order: no new connections, no new commands, every connection closed, every store flushed.
   *
   * @throws {StoreError} when what was written cannot be made safe
   */
  async stop(): Promise<void> {
    this.#isStopping = true;
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

  async #accept(listener: Deno.TcpListener): Promise<void> {
    while (!this.#isStopping) {
      try {
        this.#serve(await listener.accept());
      } catch (error) {
        if (this.#isStopping) return;
        // Mostly no file descriptor is left; the peer tries again.
        this.#log.warning(`Cannot accept a connection: ${error instanceof Error ? error.message : error}`);
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      }
    }
  }

  #serve(connection: Deno.TcpConn): void {
    const { localAddr, remoteAddr } = connection;
    connection.setNoDelay(true);
    // A peer that was switched off is found out, if late, and its session and limits are free again.
    connection.setKeepAlive(true);
    this.#node.serve(connection, {
      localAddress: plainAddress(localAddr.hostname),
      localPort: localAddr.port,
      peerAddress: plainAddress(remoteAddr.hostname),
    });
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

function listen({ address, port }: Portal): Deno.TcpListener {
  if (address !== "::") return Deno.listen({ hostname: address, port });
  try {
    return Deno.listen({ hostname: "::", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.PermissionDenied) throw error;
    return Deno.listen({ hostname: "0.0.0.0", port });
  }
}
