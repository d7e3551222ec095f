import { type Address, type Network, rangeContains } from "../bytes/network.ts";
import { type InterfaceAddress, isLinkLocal, isLoopback } from "./interfaces.ts";

/**
 * The addresses at which to tell an initiator to find a target (SendTargets, RFC 7143, Appendix C), in the form of
 * `plainAddress`: the one it is connected to, and, for a target with networks, the server's other addresses in them,
 * which make further paths to it. A target without networks is reached at every address, but which of them an
 * initiator can reach is not known; over loopback nothing else is of use.
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
