import { addressFamily, type AddressRange, type Network, parseAddress } from "../bytes/network.ts";

/** One address of this server, and the network that its interface is in. */
export interface InterfaceAddress extends AddressRange {
  /** Name of the interface, `eth0`. */
  readonly name: string;
  /** Length of the network part in bits. */
  readonly prefixLength: number;
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
    const address = parseAddress(written);
    const prefixLength = Number(cidr.slice(cidr.lastIndexOf("/") + 1));
    return address === undefined ? [] : [{ name, prefixLength, ...address }];
  });
}

/** From where a target's network accepts: from itself, or from that of the interface whose address it names. */
export function peerRange(
  network: Network,
  interfaces: readonly InterfaceAddress[],
): AddressRange | undefined {
  if (network.prefixLength !== undefined) return network;
  return interfaces.find(({ address }) => address === network.address);
}

/** Whether an address, in the form of `plainAddress`, reaches only the machine itself. */
export function isLoopback(address: string): boolean {
  return address === "::1" || (addressFamily(address) === "ipv4" && address.startsWith("127."));
}

/** Whether an address, in the form of `plainAddress`, has a meaning on one link only: `fe80::/10` (RFC 4291, 2.5.6). */
export function isLinkLocal(address: string): boolean {
  return /^fe[89ab][0-9a-f]:/.test(address);
}
