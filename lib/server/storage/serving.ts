import type { Config } from "../../config/config.ts";
import { shareOf } from "../../config/port_share.ts";
import type { Exports } from "../../provision/find_exports.ts";
import type { BackingExport, DeviceExport, WorkerLinks } from "../../provision/worker_links.ts";
import type { Identity } from "../../scsi/identity.ts";
import type { HoleService } from "./hole_service.ts";

/** The part of a storage folder that one target worker uses. */
export interface WorkerLease {
  /** The folder of the worker's state and links. */
  readonly place: string;
  readonly links: Pick<WorkerLinks, "renew" | "extend" | "retain">;
  /** Punches holes in backing files; undefined where that is not supported. */
  readonly holes: HoleService | undefined;
  /** Releases it for another worker. This one may not run, and no operation of it may be under way. */
  end(): Promise<void>;
}

/** The exclusive use of a storage folder by a server. */
export interface Lease {
  /**
   * Returns the part for the target worker of a port, which no other worker uses until it is released.
   *
   * @throws {ProvisionError} when its folder cannot be made
   */
  forPort(port: number): WorkerLease;
  /** Dangers of its use, as sentences. */
  readonly warnings?: readonly string[];
  /** Returns the reason why another process may use it by now; undefined while none may. */
  readonly findLoss?: () => Promise<string | undefined>;
  /** Called when everything that takes space for this run has been created, and the server has said so. */
  readonly onReady?: () => void;
  /** Releases the storage folder. All of its parts must have been released. */
  end(): Promise<void>;
}

/** A conf with its backings, ready to be served. */
export interface Exported {
  readonly config: Config;
  /** Identities by the path of the backing file. */
  readonly identities: ReadonlyMap<string, Identity>;
  /** The block devices of the conf. */
  readonly devices: readonly DeviceExport[];
  /** Reasons for which some logical units cannot be served now, by the paths of their backing files. */
  readonly unavailable: ReadonlyMap<string, string>;
  /** The states of the block devices at all paths of the conf (see `Exports`); null where there is none now. */
  readonly deviceStates?: ReadonlyMap<string, string | null>;
}

/** All that a server serves, with its storage folder. */
export interface Serving extends Exported {
  readonly lease: Lease;
}

/** The same for one target worker. */
export interface WorkerServing extends Exported {
  /** The port of the targets that the worker serves. */
  readonly port: number;
  /** Reasons for which backings are not to be opened yet, by path: each is opened when its reason has gone. */
  readonly arriving: ReadonlyMap<string, string>;
  readonly lease: WorkerLease;
}

/** Returns the part of the conf that a worker serves. */
export function shareServed({ config, port }: Pick<WorkerServing, "config" | "port">): Config {
  return shareOf(config, port);
}

/** Returns the parts of a `Serving` that follow from the exports found on the disk. */
export function servingFrom(
  { exports, devices, deviceStates, unavailable }: Exports,
): Pick<Serving, "identities" | "devices" | "deviceStates" | "unavailable"> {
  const identities = [...exports, ...unavailable].flatMap(([path, { identity }]) =>
    identity === undefined ? [] : [[path, identity] as const]
  );
  const reasons = [...unavailable].map(([path, { reason }]) => [path, reason] as const);
  return { identities: new Map(identities), devices, deviceStates, unavailable: new Map(reasons) };
}

/** Returns the backing files and devices that a worker can serve. */
export function backingsOf(serving: Omit<WorkerServing, "lease">): BackingExport[] {
  const { devices, unavailable, arriving } = serving;
  const byPath = new Map(devices.map((device) => [device.path, device]));
  return shareServed(serving).targets.flatMap(({ readOnly, logicalUnits }) =>
    logicalUnits.filter(({ path }) => !unavailable.has(path) && !arriving.has(path))
      .map(({ path }) => ({ path, readOnly, device: byPath.get(path) }))
  );
}
