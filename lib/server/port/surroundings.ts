import type { InterfaceAddress } from "../../access/interfaces.ts";
import { planPortals, type PortalPlan } from "../../access/portals.ts";
import { rangeContains } from "../../bytes/network.ts";
import type { HeldRights } from "../held_rights.ts";
import { type ListeningScope, networkRight, portalRights } from "../worker_permissions.ts";
import type { Config } from "../../config/config.ts";
import { shareOf } from "../../config/port_share.ts";

/** The server's addresses that a conf refers to, and the portals that follow from them. */
export interface Surroundings {
  readonly plan: PortalPlan;
  readonly interfaces: readonly InterfaceAddress[];
}

/** Returns the surroundings of a port of a conf, from all addresses of the server. */
export function surroundingsOf(
  config: Config,
  port: number,
  all: readonly InterfaceAddress[],
): Surroundings {
  const { targets } = shareOf(config, port);
  // An initiator of this port may ask for the targets of others.
  const networks = config.targets.flatMap((target) => target.networks);
  return {
    plan: planPortals({ targets, port, interfaces: all }),
    interfaces: all.filter((address) => networks.some((network) => rangeContains(network, address))),
  };
}

/**
 * Returns the portals that a worker may listen at: those planned now, and new addresses in the networks of the conf.
 * Beside the wildcard address no network is needed. A worker cannot have a right that the process lacks, and Deno takes
 * a network for a right of its own, even inside a network to which the process has a right.
 */
export function listeningScope(
  { targets, port }: Config,
  { wildcard, portals }: PortalPlan,
  { has }: HeldRights = EVERY_RIGHT,
): ListeningScope {
  const networks = wildcard ? [] : targets.flatMap(({ networks }) => networks);
  return {
    portals: portals.filter((portal) => portalRights(portal).every((host) => has({ name: "net", host }))),
    networks: networks.filter((network) => has({ name: "net", host: networkRight(network, port) })),
    port,
  };
}

/** The rights of a process that may listen everywhere. */
const EVERY_RIGHT: HeldRights = { has: () => true };

/** Describes the networks of the conf in which the server has no address, except those of the plan before. */
export function describeUnmatched({ unmatched }: PortalPlan, before?: PortalPlan): string[] {
  const known = new Set(before?.unmatched.map((pair) => JSON.stringify(pair)));
  return unmatched.filter((pair) => !known.has(JSON.stringify(pair))).map(({ networkText, targetName }) =>
    `No interface is in network ${networkText} of [${targetName}] now; waiting for one`
  );
}
