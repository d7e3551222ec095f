/**
 * Everything that the target worker runs: stores, logical units, the node, and the sockets it listens at. It knows
 * nothing of workers and messages, so that tests run it as it is.
 */
import type { InterfaceAddress } from "../access/interfaces.ts";
import type { Portal } from "../access/portals.ts";
import { plainAddress } from "../bytes/network.ts";
import type { Config, TargetConfig } from "../config/config.ts";
import type { EventLog } from "../iscsi/event_log.ts";
import { type Target, TargetNode } from "../iscsi/target_node.ts";
import { TARGET_PORTAL_GROUP_TAG } from "../iscsi/login.ts";
import type { Identity } from "../scsi/identity.ts";
import { LogicalUnit } from "../scsi/logical_unit.ts";
import { TargetDevice } from "../scsi/target_device.ts";
import type { BlockStore } from "../store/block_store.ts";
import { FileStore } from "../store/file_store.ts";

/** What is to be served, and where. */
export interface TargetServerOptions {
  readonly config: Config;
  /** By the path of the backing file. */
  readonly identities: ReadonlyMap<string, Identity>;
  /** What to open in place of a block device, by its path. */
  readonly deviceNodes: ReadonlyMap<string, string>;
  readonly interfaces: readonly InterfaceAddress[];
  readonly portals: readonly Portal[];
  readonly log: EventLog;
}

/** How long to wait when the system has no more sockets to give. */
const ACCEPT_RETRY_MS = 100;

/** A running target. */
export class TargetServer {
  readonly #node: TargetNode;
  readonly #stores: readonly BlockStore[];
  readonly #listeners: readonly Deno.TcpListener[];
  readonly #log: EventLog;
  #isStopping = false;

  private constructor(
    node: TargetNode,
    stores: readonly BlockStore[],
    listeners: readonly Deno.TcpListener[],
    log: EventLog,
  ) {
    this.#node = node;
    this.#stores = stores;
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
      for (const target of config.targets) targets.push(openTarget(target, options, stores));
      for (const portal of portals) listeners.push(listen(portal));
      const node = new TargetNode({ targets, limits: config, interfaces, log });
      const server = new TargetServer(node, stores, listeners, log);
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

  /**
   * Ends in order: no new connections, no new commands, every connection closed, every store flushed.
   *
   * @throws {StoreError} when what was written cannot be made safe
   */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const listener of this.#listeners) listener.close();
    await this.#node.stop();
    await Promise.all(this.#stores.map((store) => store.readOnly ? undefined : store.flush()));
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
  { identities, deviceNodes }: TargetServerOptions,
  stores: BlockStore[],
): Target {
  const logicalUnits = new Map<number, LogicalUnit>();
  for (const { number, path, sizeBytes } of config.logicalUnits) {
    const store = FileStore.open(deviceNodes.get(path) ?? path, { sizeBytes, readOnly: config.readOnly });
    stores.push(store);
    const identity = identities.get(path)!;
    logicalUnits.set(number, new LogicalUnit({ store, identity, readOnly: config.readOnly }));
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

function listen({ address, port }: Portal): Deno.TcpListener {
  if (address !== "::") return Deno.listen({ hostname: address, port });
  try {
    return Deno.listen({ hostname: "::", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.PermissionDenied) throw error;
    return Deno.listen({ hostname: "0.0.0.0", port });
  }
}
