import type { Config } from "../config/config.ts";
import type { Exports } from "../provision/find_exports.ts";
import type { BackingExport, DeviceExport, WorkerLinks } from "../provision/worker_links.ts";
import type { Identity } from "../scsi/identity.ts";
import type { HoleService } from "./hole_service.ts";

/** The exclusive use of a storage folder by a server. */
export interface Lease {
  readonly links: Pick<WorkerLinks, "renew" | "extend" | "retain">;
  /** Punches holes in backing files; undefined where that is not supported. */
  readonly holes: HoleService | undefined;
  /** Called when everything that takes space for this run has been created. */
  readonly onReady?: () => void;
  /** Releases the storage folder. No worker may run, and no operation of one may be under way. */
  end(): Promise<void>;
}

/** A conf with its backing files and storage folder, ready to be served. */
export interface Serving {
  readonly config: Config;
  /** Identities by the path of the backing file. */
  readonly identities: ReadonlyMap<string, Identity>;
  /** The block devices of the conf. */
  readonly devices: readonly DeviceExport[];
  /** Reasons for which some logical units cannot be served now, by the paths of their backing files. */
  readonly unavailable: ReadonlyMap<string, string>;
  readonly lease: Lease;
}

/** Returns the parts of a `Serving` that follow from the exports found on the disk. */
export function servingFrom(
  { exports, devices, unavailable }: Exports,
): Pick<Serving, "identities" | "devices" | "unavailable"> {
  const identities = [...exports, ...unavailable].flatMap(([path, { identity }]) =>
    identity === undefined ? [] : [[path, identity] as const]
  );
  const reasons = [...unavailable].map(([path, { reason }]) => [path, reason] as const);
  return { identities: new Map(identities), devices, unavailable: new Map(reasons) };
}

/** Returns the backing files and devices that can be served. */
export function backingsOf({ config, devices, unavailable }: Omit<Serving, "lease">): BackingExport[] {
  const devicePaths = new Set(devices.map(({ path }) => path));
  return config.targets.flatMap(({ readOnly, logicalUnits }) =>
    logicalUnits.filter(({ path }) => !unavailable.has(path))
      .map(({ path }) => ({ path, readOnly, isDevice: devicePaths.has(path) }))
  );
}
