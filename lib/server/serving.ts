import type { Config } from "../config/config.ts";
import type { Exports } from "../provision/find_exports.ts";
import type { BackingExport, DeviceExport, WorkerLinks } from "../provision/worker_links.ts";
import type { Identity } from "../scsi/identity.ts";
import type { HoleService } from "./hole_service.ts";

/** What a server has of a storage folder for as long as it serves it, and nobody else at the same time. */
export interface Lease {
  readonly links: Pick<WorkerLinks, "renew" | "extend" | "retain">;
  /** Gives space back; undefined where none can be given back. */
  readonly holes: HoleService | undefined;
  /** Everything that takes space for this run has been made. */
  readonly onReady?: () => void;
  /** Gives everything back: no worker runs, and nothing that one has begun is under way. */
  end(): Promise<void>;
}

/** Something to serve: a conf, what was built for it, and the storage folder that this lies in. */
export interface Serving {
  readonly config: Config;
  /** By the path of the backing file. */
  readonly identities: ReadonlyMap<string, Identity>;
  /** The block devices of the conf. */
  readonly devices: readonly DeviceExport[];
  /** Why some logical units of the conf cannot be served now, by the paths of their backing files. */
  readonly unavailable: ReadonlyMap<string, string>;
  readonly lease: Lease;
}

/** Returns what there is to serve of what was found on the disk. */
export function servingFrom(
  { exports, devices, unavailable }: Exports,
): Pick<Serving, "identities" | "devices" | "unavailable"> {
  const identities = [...exports, ...unavailable].flatMap(([path, { identity }]) =>
    identity === undefined ? [] : [[path, identity] as const]
  );
  const reasons = [...unavailable].map(([path, { reason }]) => [path, reason] as const);
  return { identities: new Map(identities), devices, unavailable: new Map(reasons) };
}

/** Returns the backing files and devices of what can be served. */
export function backingsOf({ config, devices, unavailable }: Omit<Serving, "lease">): BackingExport[] {
  const devicePaths = new Set(devices.map(({ path }) => path));
  return config.targets.flatMap(({ readOnly, logicalUnits }) =>
    logicalUnits.filter(({ path }) => !unavailable.has(path))
      .map(({ path }) => ({ path, readOnly, isDevice: devicePaths.has(path) }))
  );
}
