/**
 * IP addresses and networks as values.
 *
 * Addresses are text in the one form that `plainAddress` gives, so that equal addresses are equal strings.
 */
import { isIP } from "node:net";

/** Version of the Internet Protocol. */
export type AddressFamily = "ipv4" | "ipv6";

/** A network, or one address of this server that stands for the network of the interface that has it. */
export interface Network {
  /** As written by the user. */
  readonly text: string;
  /** `192.168.100.0` or `fd00:1::`: the network's first address, or the one address. */
  readonly address: string;
  /** Length of the network part in bits; undefined when the text names one address. */
  readonly prefixLength: number | undefined;
  readonly family: AddressFamily;
}

const FAMILY_BITS = { ipv4: 32, ipv6: 128 } as const;

/** The version of an address without zone; undefined when `address` is none. */
export function addressFamily(address: string): AddressFamily | undefined {
  switch (isIP(address)) {
    case 4:
      return "ipv4";
    case 6:
      return address.includes("%") ? undefined : "ipv6";
    default:
      return undefined;
  }
}

/**
 * The one form of an address: IPv6 as RFC 5952 writes it, without zone; an IPv4-mapped IPv6 address (RFC 4291,
 * 2.5.5.2), as which a dual-stack socket reports an IPv4 peer, as IPv4. What is no address comes back as it is.
 */
export function plainAddress(address: string): string {
  const withoutZone = address.replace(/%.*$/s, "");
  if (addressFamily(withoutZone) !== "ipv6") return address;
  const bits = addressBits(withoutZone);
  return bits >> 32n === 0xffffn ? formatBits(bits & 0xffff_ffffn, "ipv4") : formatBits(bits, "ipv6");
}

/** `192.168.100.1:3260`, or `[fd00:1::1]:3260` for IPv6 (RFC 3986, 3.2.2; RFC 7143, 13.8). */
export function formatPortal(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * Reads `ADDRESS` or `ADDRESS:PORT`, where the address is an IP address (IPv6 in square brackets, or bare without a
 * port) or the name of a host; undefined when `text` is none of them.
 */
export function parsePortal(
  text: string,
  defaultPort: number,
): { address: string; port: number } | undefined {
  if (addressFamily(text) !== undefined) return { address: plainAddress(text), port: defaultPort };
  const [, bracketed, named, digits] = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const port = digits === undefined ? defaultPort : Number(digits);
  if (port < 1 || port > 65_535) return undefined;
  if (bracketed !== undefined) {
    return addressFamily(bracketed) === "ipv6" ? { address: plainAddress(bracketed), port } : undefined;
  }
  if (named === undefined) return undefined;
  // A name whose last part is a number could only be a mistyped address (RFC 3696, 2).
  const isHost = addressFamily(named) === "ipv4" ||
    (named.length <= 253 &&
      /^([a-z\d]([a-z\d-]{0,61}[a-z\d])?\.)*[a-z]([a-z\d-]{0,61}[a-z\d])?$/i.test(named));
  return isHost ? { address: named.toLowerCase(), port } : undefined;
}

/**
 * Reads `ADDRESS/LENGTH`, `IPV4/NETMASK` or a bare address; undefined when `text` is none of them. The host part
 * of the address is cleared, so the network of `192.168.100.7/24` has the address `192.168.100.0`.
 */
export function parseNetwork(text: string): Network | undefined {
  const [written = "", prefix, ...rest] = text.split("/");
  const family = addressFamily(written);
  if (family === undefined || rest.length > 0) return undefined;
  // Peers with mapped addresses are known by their IPv4 addresses, so a mapped network would match nobody.
  const address = plainAddress(written);
  if (addressFamily(address) !== family) return undefined;
  if (prefix === undefined) return { text, address, prefixLength: undefined, family };
  const prefixLength = parsePrefix(prefix, family);
  if (prefixLength === undefined) return undefined;
  const hostBits = BigInt(FAMILY_BITS[family] - prefixLength);
  const first = formatBits((addressBits(address) >> hostBits) << hostBits, family);
  return { text, address: first, prefixLength, family };
}

/** Whether `address`, in any form, lies in the network; a network without prefix length is the one address. */
export function networkContains(network: Network, address: string): boolean {
  const plain = plainAddress(address);
  if (network.prefixLength === undefined) return plain === network.address;
  if (addressFamily(plain) !== network.family) return false;
  const hostBits = BigInt(FAMILY_BITS[network.family] - network.prefixLength);
  return addressBits(plain) >> hostBits === addressBits(network.address) >> hostBits;
}

/** A length in bits, or an IPv4 netmask whose one bits all come first. */
function parsePrefix(prefix: string, family: AddressFamily): number | undefined {
  if (/^(0|[1-9]\d{0,2})$/.test(prefix)) {
    return Number(prefix) <= FAMILY_BITS[family] ? Number(prefix) : undefined;
  }
  if (family !== "ipv4" || addressFamily(prefix) !== "ipv4") return undefined;
  const bits = addressBits(prefix).toString(2).padStart(32, "0");
  return /^1*0*$/.test(bits) ? bits.lastIndexOf("1") + 1 : undefined;
}

/** The address, which must be valid and without zone, as a number of 32 or 128 bits. */
function addressBits(address: string): bigint {
  if (!address.includes(":")) return joinBits(address.split(".").map(Number), 8n);
  // The URL parser knows every way to write an IPv6 address and returns groups of hexadecimal digits only.
  const [head = "", tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split("::");
  const left = hexGroups(head);
  const right = hexGroups(tail ?? "");
  const zeros = new Array<number>(8 - left.length - right.length).fill(0);
  return joinBits([...left, ...zeros, ...right], 16n);
}

function hexGroups(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

function joinBits(groups: readonly number[], groupBits: bigint): bigint {
  return groups.reduce((bits, group) => (bits << groupBits) | BigInt(group), 0n);
}

function formatBits(bits: bigint, family: AddressFamily): string {
  const [groupBits, count] = family === "ipv4" ? [8, 4] : [16, 8];
  const groups = Array.from({ length: count }, (_, index) => {
    return BigInt.asUintN(groupBits, bits >> BigInt(groupBits * (count - 1 - index)));
  });
  if (family === "ipv4") return groups.join(".");
  const text = groups.map((group) => group.toString(16)).join(":");
  return new URL(`http://[${text}]/`).hostname.slice(1, -1);
}
