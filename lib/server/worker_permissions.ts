import type { Portal } from "../access/portals.ts";
import { formatPortal } from "../bytes/network.ts";
import { workerFoldersOf, workerLinksOf } from "../provision/state_folder.ts";

/** What a worker is to serve, as far as it takes rights. */
export interface WorkerNeeds {
  readonly storage: string;
  readonly portals: readonly Portal[];
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
 * The rights of the target worker, which parses every byte that an initiator sends: it may listen at the portals, use
 * the backing files by the links that the supervisor makes, and keep journals, reservations, and whether SANITIZE
 * completed. Nothing else, and no asking. The files that are linked in one folder it may only read; in this folder it
 * may not make or move anything.
 *
 * It has no right to the storage folder, nor to a backing file by its own name: so it can neither move, replace nor
 * remove one, nor anything that the supervisor keeps, such as identities, locks, and what programs work on.
 *
 * This is the one place that says so. Deno fixes the rights of a worker when it starts.
 */
export function workerPermissions({ storage, portals }: WorkerNeeds): WorkerRights {
  const write = [
    workerLinksOf(storage, { readOnly: false }),
    ...workerFoldersOf(storage),
  ];
  return {
    ...listeningPermissions(portals),
    read: [workerLinksOf(storage, { readOnly: true }), ...write],
    write,
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

/** The portals that a worker with these rights cannot listen at. */
export function portalsWithoutRight({ net }: WorkerRights, portals: readonly Portal[]): Portal[] {
  return portals.filter((portal) => !netRights(portal).every((right) => net.includes(right)));
}

/** The wildcard address of IPv6 takes in IPv4 as well; a machine without IPv6 listens at that of IPv4. */
function netRights({ address, port }: Portal): string[] {
  if (address === "::") return [formatPortal("::", port), formatPortal("0.0.0.0", port)];
  return [formatPortal(address, port)];
}
