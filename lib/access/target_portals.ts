import { type Address, type Network, rangeContains } from "../bytes/network.ts";
import { type InterfaceAddress, isLinkLocal, isLoopback } from "./interfaces.ts";

/**
 * Returns the addresses of a target to report to an initiator (SendTargets, RFC 7143, Appendix C), in the form of
 * `plainAddress`: the address of its connection, and the server's other addresses in the target's networks, as further
 * paths. A target without networks listens at every address, but the initiator may not reach all of them, so the others
 * are not reported. Over loopback only the address of the connection is reported.
 */
export function targetPortals(
  target: { readonly networks: readonly Network[] },
  { local: { address: own } }: { readonly local: Address },
  interfaces: readonly InterfaceAddress[],
): string[] {
  if (isLoopback(own)) return [own];
  const others = interfaces
    .filter((address) => target.networks.some((network) => rangeContains(network, address)))
    .map(({ address }) => address)
    .filter((address) => !isLoopback(address) && !isLinkLocal(address));
  return [...new Set([own, ...others])];
}
