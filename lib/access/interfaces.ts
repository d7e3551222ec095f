import { addressFamily, type AddressRange, type Network, parseAddress } from "../bytes/network.ts";

/** One address of this server, and the network of its interface. */
export interface InterfaceAddress extends AddressRange {
  /** Name of the interface, `eth0`. */
  readonly name: string;
  /** Length of the network part in bits. */
  readonly prefixLength: number;
}

/** The part of a result of `Deno.networkInterfaces()` that is used here. */
export interface InterfaceInfo {
  readonly name: string;
  readonly address: string;
  /** `192.168.100.7/24` or `fd00:1::7/64`. */
  readonly cidr: string;
}

/** Returns the addresses in the result of `Deno.networkInterfaces()`, in its order. */
export function interfaceAddresses(list: readonly InterfaceInfo[]): InterfaceAddress[] {
  return list.flatMap(({ name, address: written, cidr }) => {
    const address = parseAddress(written);
    const prefixLength = Number(cidr.slice(cidr.lastIndexOf("/") + 1));
    return address === undefined ? [] : [{ name, prefixLength, ...address }];
  });
}

/** Returns the range of peers that a target's network admits: the network, or that of the interface it names. */
export function peerRange(
  network: Network,
  interfaces: readonly InterfaceAddress[],
): AddressRange | undefined {
  if (network.prefixLength !== undefined) return network;
  return interfaces.find(({ address }) => address === network.address);
}

/** Reports whether an address, in the form of `plainAddress`, is a loopback address. */
export function isLoopback(address: string): boolean {
  return address === "::1" || (addressFamily(address) === "ipv4" && address.startsWith("127."));
}

/** Reports whether an address, in the form of `plainAddress`, is link-local: `fe80::/10` (RFC 4291, 2.5.6). */
export function isLinkLocal(address: string): boolean {
  return /^fe[89ab][0-9a-f]:/.test(address);
}
