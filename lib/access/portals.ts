import { type Network, rangeContains } from "../bytes/network.ts";
import { type InterfaceAddress, isLinkLocal } from "./interfaces.ts";

/** The networks in which a target listens. */
export interface ListeningTarget {
  readonly name: string;
  /** Empty: every network. */
  readonly networks: readonly Network[];
}

/** An address and port to listen at. */
export interface Portal {
  /** An address of this server, or `::` for all of them, IPv4 included. */
  readonly address: string;
  readonly port: number;
}

/** The portals to listen at. */
export interface PortalPlan {
  /** The only portal is the wildcard address `::`. A machine without IPv6 listens at `0.0.0.0` instead. */
  readonly wildcard: boolean;
  /** Without repetition, in the order of the interfaces; empty when there is no target, or no interface for one. */
  readonly portals: readonly Portal[];
  /** The networks in which this server has no address now. */
  readonly unmatched: readonly { readonly networkText: string; readonly targetName: string }[];
}

/**
 * Plans the portals: every address of this server in a network of a target, or the wildcard address if a target has no
 * networks. Link-local IPv6 addresses are left out, because they are incomplete without an interface.
 */
export function planPortals(
  { targets, port, interfaces }: {
    readonly targets: readonly ListeningTarget[];
    readonly port: number;
    readonly interfaces: readonly InterfaceAddress[];
  },
): PortalPlan {
  const reachable = interfaces.filter(({ address }) => !isLinkLocal(address));
  const unmatched = targets.flatMap(({ name, networks }) => {
    return networks
      .filter((network) => !reachable.some((address) => rangeContains(network, address)))
      .map((network) => ({ networkText: network.text, targetName: name }));
  });
  if (targets.some(({ networks }) => networks.length === 0)) {
    return { wildcard: true, portals: [{ address: "::", port }], unmatched };
  }
  const networks = targets.flatMap((target) => target.networks);
  const listening = reachable.filter((address) =>
    networks.some((network) => rangeContains(network, address))
  );
  const addresses = new Set(listening.map(({ address }) => address));
  return { wildcard: false, portals: [...addresses].map((address) => ({ address, port })), unmatched };
}
