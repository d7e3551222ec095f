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

/** The bridges of Docker, Podman, CNI, LXC, Incus and libvirt, which only guests of this machine can reach. */
const GUEST_BRIDGE =
  /^(docker(\d+|_gwbridge)|br-[\da-f]{12}|podman\d+|cni(-podman)?\d+|(lxc|lxd|incus|vir)br\d+)$/;

/** Reports whether an address means nothing to machines elsewhere: loopback, link-local, or of a bridge for guests. */
export function isLocalOnly({ name, address }: InterfaceAddress): boolean {
  // Link-local addresses of IPv4 are 169.254.0.0/16 (RFC 3927, 2.1).
  return isLoopback(address) || isLinkLocal(address) || address.startsWith("169.254.") ||
    GUEST_BRIDGE.test(name);
}
