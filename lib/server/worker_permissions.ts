import type { Portal } from "../access/portals.ts";
import { formatPortal, type Network, parseAddress, rangeContains } from "../bytes/network.ts";
import { workerFoldersOf, workerLinksOf } from "../provision/state_folder.ts";

/** The portals that a worker may listen at: those of its start, and later ones in the networks of the conf. */
export interface ListeningScope {
  readonly portals: readonly Portal[];
  readonly networks: readonly Network[];
  /** The port of the portals in these networks. */
  readonly port: number;
}

/** The parts of a conf that determine a worker's rights. */
export interface WorkerNeeds extends ListeningScope {
  /** The folder of the worker's state. */
  readonly place: string;
}

/** The right to listen at some addresses; all other rights are denied. */
export interface ListeningRights extends Deno.PermissionOptionsObject {
  readonly net: string[];
}

/** The rights of a target worker; all others are denied. */
export interface WorkerRights extends ListeningRights {
  readonly read: string[];
  readonly write: string[];
}

/**
 * Returns the rights of the target worker, which parses every byte that an initiator sends. It may listen at the
 * portals, open the backing files by the links that the supervisor makes, and store journals, reservations and the
 * state of SANITIZE. It may only read the files that are linked in the read-only folder, and may create or move nothing
 * there. It cannot ask for more rights.
 *
 * The worker has no right to the storage folder, nor to a backing file by its own name. It cannot move, replace or
 * remove one, nor the supervisor's files: identities, locks, and the files that helper programs use.
 *
 * Deno's `net` right to an address and port also allows connections to it. In an IPv4 network of the conf the worker
 * can therefore connect to other hosts at the iSCSI port. Deno has no such right for IPv6 networks.
 */
export function workerPermissions({ place, portals, networks, port }: WorkerNeeds): WorkerRights {
  const write = [
    workerLinksOf(place, { readOnly: false }),
    ...workerFoldersOf(place),
  ];
  const { net, ...denied } = listeningPermissions(portals);
  const networkRights = networks.filter(hasRight).map((network) => networkRight(network, port));
  return {
    ...denied,
    net: [...new Set([...net, ...networkRights])],
    read: [workerLinksOf(place, { readOnly: true }), ...write],
    write,
  };
}

/** Returns the rights of a worker that only listens: a relay, or the metrics worker. */
export function listeningPermissions(portals: readonly Portal[]): ListeningRights {
  return {
    net: portals.flatMap(portalRights),
    read: false,
    write: false,
    env: false,
    ffi: false,
    import: false,
    run: false,
    sys: false,
  };
}

/** Returns the portals that a worker started with this scope cannot listen at. */
export function portalsWithoutRight(scope: ListeningScope, portals: readonly Portal[]): Portal[] {
  const net = scope.portals.flatMap(portalRights);
  return portals.filter((portal) =>
    !isInNetwork(scope, portal) && !portalRights(portal).every((right) => net.includes(right))
  );
}

function isInNetwork({ networks, port }: ListeningScope, portal: Portal): boolean {
  const address = parseAddress(portal.address);
  return portal.port === port && address !== undefined &&
    networks.some((network) => hasRight(network) && rangeContains(network, address));
}

/** Returns whether Deno has a right for a network: every one of IPv4, and single addresses of IPv6. */
function hasRight({ family, prefixLength }: Network): boolean {
  return family === "ipv4" || prefixLength === undefined;
}

/** Returns the right for the portals in a network. */
export function networkRight(
  { address, prefixLength }: Pick<Network, "address" | "prefixLength">,
  port: number,
): string {
  return prefixLength === undefined ? formatPortal(address, port) : `${address}/${prefixLength}:${port}`;
}

/** Returns the rights for a portal. The IPv6 wildcard includes IPv4; without IPv6 the IPv4 wildcard replaces it. */
export function portalRights({ address, port }: Portal): string[] {
  if (address === "::") return [formatPortal("::", port), formatPortal("0.0.0.0", port)];
  return [formatPortal(address, port)];
}
