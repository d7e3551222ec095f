import { type Address, formatPortal, type Network, parseNetwork, rangeContains } from "../bytes/network.ts";
import { type InterfaceAddress, isLinkLocal, isLocalOnly, isLoopback } from "./interfaces.ts";

/** The part of a target that decides at which addresses it can be reached. */
interface ReachableTarget {
  /** Empty: every network. */
  readonly networks: readonly Network[];
}

/**
 * Returns the addresses of a target to report to an initiator (SendTargets, RFC 7143, Appendix C), in the form of
 * `plainAddress`: the address of its connection, and the server's other addresses in the target's networks, as further
 * paths. Over loopback only the address of the connection is reported. The address of a card without a cable is
 * reported too: a host that boots while a switch is off then gets the path when it returns.
 *
 * Without networks nothing says which of the server's addresses are paths. One on the far side of a router or on the
 * Internet makes initiators wait at every boot, a second one on the same card makes a second disk of a LUN for hosts
 * without multipath, and one that stays behind when a cluster moves never answers again. So only the address of the
 * connection is reported, as LIO does. (SCST reports all.) The networks `0.0.0.0/0` and `::/0` mean all of them.
 */
export function targetPortals(
  { networks }: ReachableTarget,
  { local: { address: own } }: { readonly local: Address },
  interfaces: readonly InterfaceAddress[],
): string[] {
  if (isLoopback(own)) return [own];
  const others = interfaces
    .filter((address) => networks.some((network) => rangeContains(network, address)))
    .filter((address) => !isLocalOnly(address))
    .map(({ address }) => address);
  return [...new Set([own, ...others])];
}

/** The portals that initiators of a network are offered. */
export interface NetworkPaths {
  /** As the conf has it, or the network of an interface where the target has none. */
  readonly network: string;
  /** `address:port`, first the one that is asked; empty when no interface is in the network. */
  readonly portals: readonly string[];
}

/** Returns the portals of a target that SendTargets reports to the initiators of each network. */
export function networkPaths(
  target: ReachableTarget,
  port: number,
  interfaces: readonly InterfaceAddress[],
): NetworkPaths[] {
  const askedAt = (asked: Address): string[] =>
    targetPortals(target, { local: asked }, interfaces).map((address) => formatPortal(address, port));
  if (target.networks.length === 0) {
    return interfaces.filter((address) => !isLocalOnly(address))
      .map((address) => ({ network: networkOf(address), portals: askedAt(address) }));
  }
  return target.networks.map((network) => {
    const own = interfaces.filter((address) =>
      rangeContains(network, address) && !isLinkLocal(address.address)
    );
    const asked = own.find((address) => !isLocalOnly(address)) ?? own[0];
    return { network: network.text, portals: asked === undefined ? [] : askedAt(asked) };
  });
}

/** Formats the network of an interface, `192.168.100.0/24`. */
function networkOf({ address, prefixLength }: InterfaceAddress): string {
  return `${parseNetwork(`${address}/${prefixLength}`)?.address ?? address}/${prefixLength}`;
}
