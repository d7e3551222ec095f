import {
  type AddressFamily,
  addressFamily,
  type Network,
  parseNetwork,
  plainAddress,
} from "../bytes/network.ts";

/** One address of this server. */
export interface InterfaceAddress {
  /** Name of the interface, `eth0`. */
  readonly name: string;
  /** In the form of `plainAddress`. */
  readonly address: string;
  /** Length of the network part in bits. */
  readonly prefixLength: number;
  readonly family: AddressFamily;
}

/** What `Deno.networkInterfaces()` says of an address, as far as it matters here. */
export interface InterfaceInfo {
  readonly name: string;
  readonly address: string;
  /** `192.168.100.7/24` or `fd00:1::7/64`. */
  readonly cidr: string;
}

/** The addresses in the result of `Deno.networkInterfaces()`, in its order. */
export function interfaceAddresses(list: readonly InterfaceInfo[]): InterfaceAddress[] {
  return list.flatMap(({ name, address: written, cidr }) => {
    const address = plainAddress(written);
    const family = addressFamily(address);
    const prefixLength = Number(cidr.slice(cidr.lastIndexOf("/") + 1));
    return family === undefined ? [] : [{ name, address, prefixLength, family }];
  });
}

/** The network from which a target's network accepts: itself, or that of the interface whose address it names. */
export function peerNetwork(network: Network, interfaces: readonly InterfaceAddress[]): Network | undefined {
  if (network.prefixLength !== undefined) return network;
  const found = interfaces.find(({ address }) => address === network.address);
  return found && parseNetwork(`${found.address}/${found.prefixLength}`);
}

/** Whether an address, in the form of `plainAddress`, reaches only the machine itself. */
export function isLoopback(address: string): boolean {
  return address === "::1" || (addressFamily(address) === "ipv4" && address.startsWith("127."));
}

/** Whether an address, in the form of `plainAddress`, has a meaning on one link only: `fe80::/10` (RFC 4291, 2.5.6). */
export function isLinkLocal(address: string): boolean {
  return /^fe[89ab][0-9a-f]:/.test(address);
}
