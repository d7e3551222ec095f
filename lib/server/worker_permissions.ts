import type { Portal } from "../access/portals.ts";
import { formatPortal } from "../bytes/network.ts";
import type { Config } from "../config/config.ts";
import { isInside } from "../provision/is_inside.ts";

/** What a worker is to serve, as far as it takes rights. */
export interface WorkerNeeds {
  readonly config: Config;
  readonly portals: readonly Portal[];
  /** What to open in place of a block device, by its path. */
  readonly standIns: ReadonlyMap<string, string>;
}

/** Rights to listen, and all others denied. */
export interface ListeningRights extends Deno.PermissionOptionsObject {
  readonly net: string[];
}

/** The rights of a target worker: those that follow from what it serves, and all others denied. */
export interface WorkerRights extends ListeningRights {
  readonly read: string[];
  readonly write: string[];
}

/**
 * The rights of the target worker, which parses every byte that an initiator sends: it may listen at the portals, and
 * read and write the storage folder and the backing files that the conf places elsewhere. Nothing else, and no asking.
 * Block devices need no rights of their own: the worker opens them by nodes that lie in the storage folder.
 *
 * This is the one place that says so. Deno fixes the rights of a worker when it starts.
 */
export function workerPermissions({ config, portals, standIns }: WorkerNeeds): WorkerRights {
  const elsewhere = unitsOf(config).filter(({ path }) =>
    !standIns.has(path) && !isInside(config.storage, path)
  );
  const writable = elsewhere.filter(({ readOnly }) => !readOnly);
  return {
    ...listeningPermissions(portals),
    read: [config.storage, ...elsewhere.map(({ path }) => path)],
    write: [config.storage, ...writable.map(({ path }) => path)],
  };
}

/** The rights of who only listens: a relay, at a portal, and the metrics worker, which reads what comes over HTTP. */
export function listeningPermissions(portals: readonly Portal[]): ListeningRights {
  return {
    net: portals.flatMap(netRights),
    read: false,
    write: false,
    env: false,
    ffi: false,
    import: false,
    run: false,
    sys: false,
  };
}

/** The backing files of a conf that a worker with these rights cannot open by name as the conf wants it. */
export function filesWithoutRight({ read, write }: WorkerRights, config: Config): string[] {
  return unitsOf(config).filter(({ path, readOnly }) =>
    ![...(readOnly ? [] : [write]), read].every((granted) =>
      granted.some((place) => place === path || isInside(place, path))
    )
  ).map(({ path }) => path);
}

/** The portals that a worker with these rights cannot listen at. */
export function portalsWithoutRight({ net }: WorkerRights, portals: readonly Portal[]): Portal[] {
  return portals.filter((portal) => !netRights(portal).every((right) => net.includes(right)));
}

function unitsOf({ targets }: Config): { readonly path: string; readonly readOnly: boolean }[] {
  return targets.flatMap(({ readOnly, logicalUnits }) =>
    logicalUnits.map(({ path }) => ({ path, readOnly }))
  );
}

/** The wildcard address of IPv6 takes in IPv4 as well; a machine without IPv6 listens at that of IPv4. */
function netRights({ address, port }: Portal): string[] {
  if (address === "::") return [formatPortal("::", port), formatPortal("0.0.0.0", port)];
  return [formatPortal(address, port)];
}
