/**
 * IP addresses and networks.
 *
 * Addresses are strings in the form that `plainAddress` returns, so equal addresses are equal strings. An address that
 * is compared with networks is parsed once, into an `Address`.
 */

/** A version of the Internet Protocol. */
export type AddressFamily = "ipv4" | "ipv6";

/** A parsed address. */
export interface Address {
  /** In the form of `plainAddress`. */
  readonly address: string;
  readonly family: AddressFamily;
  /** The 4 or 16 bytes of the address. */
  readonly octets: readonly number[];
}

/** A range of addresses with a common prefix. */
export interface AddressRange extends Address {
  /** The length of the prefix in bits; undefined for all bits, which makes the range a single address. */
  readonly prefixLength: number | undefined;
}

/** A network, or one address of this server that stands for the network of its interface. */
export interface Network extends AddressRange {
  /** As the user wrote it. */
  readonly text: string;
  /** The first address of the network, such as `192.168.100.0` or `fd00:1::`, or the single address. */
  readonly address: string;
}

const FAMILY_BITS = { ipv4: 32, ipv6: 128 } as const;

/** The prefix of IPv4-mapped IPv6 addresses (RFC 4291, 2.5.5.2). */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] as const;

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/** Returns the version of an address without a zone; undefined when `address` is not an address. */
export function addressFamily(address: string): AddressFamily | undefined {
  if (IPV4.test(address)) return "ipv4";
  const isIpv6 = /^[\da-f:.]+$/i.test(address) && URL.canParse(`http://[${address}]/`);
  return isIpv6 ? "ipv6" : undefined;
}

/**
 * Returns the canonical form of an address: IPv6 as RFC 5952 writes it, without a zone; an IPv4-mapped IPv6 address
 * (RFC 4291, 2.5.5.2), which a dual-stack socket reports for an IPv4 peer, as IPv4. Text that is not an address is
 * returned unchanged.
 */
export function plainAddress(address: string): string {
  return parseAddress(address)?.address ?? address;
}

/** Parses an address in any form, with or without a zone; returns undefined when `text` is not an address. */
export function parseAddress(text: string): Address | undefined {
  const withoutZone = text.replace(/%.*$/s, "");
  const family = addressFamily(withoutZone);
  if (family === undefined) return undefined;
  if (family === "ipv4") return text === withoutZone ? addressOf(family, readOctets(text)) : undefined;
  const octets = readGroups(withoutZone);
  const isMapped = MAPPED.every((octet, index) => octets[index] === octet);
  return isMapped ? addressOf("ipv4", octets.slice(MAPPED.length)) : addressOf("ipv6", octets);
}

/** Formats a portal: `192.168.100.1:3260`, or `[fd00:1::1]:3260` for IPv6 (RFC 3986, 3.2.2; RFC 7143, 13.8). */
export function formatPortal(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * Parses `ADDRESS` or `ADDRESS:PORT`. The address is an IP address (IPv6 in square brackets, or bare without a port) or
 * a host name. Returns undefined for any other text.
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
  // A name whose last label is a number can only be a mistyped address (RFC 3696, 2).
  const isHost = addressFamily(named) === "ipv4" ||
    (named.length <= 253 &&
      /^([a-z\d]([a-z\d-]{0,61}[a-z\d])?\.)*[a-z]([a-z\d-]{0,61}[a-z\d])?$/i.test(named));
  return isHost ? { address: named.toLowerCase(), port } : undefined;
}

/**
 * Parses `ADDRESS/LENGTH`, `IPV4/NETMASK` or a bare address; returns undefined for any other text. The host part is
 * cleared: the network of `192.168.100.7/24` has the address `192.168.100.0`.
 */
export function parseNetwork(text: string): Network | undefined {
  const [written = "", prefix, ...rest] = text.split("/");
  const family = addressFamily(written);
  if (family === undefined || rest.length > 0) return undefined;
  // Peers with mapped addresses are compared by their IPv4 addresses, so a mapped network would match no peer.
  const address = parseAddress(written);
  if (address?.family !== family) return undefined;
  if (prefix === undefined) return { text, prefixLength: undefined, ...address };
  const prefixLength = parsePrefix(prefix, family);
  if (prefixLength === undefined) return undefined;
  const first = address.octets.map((octet, index) => octet & maskOctet(prefixLength, index));
  return { text, prefixLength, ...addressOf(family, first) };
}

/** Returns whether an address lies in a range. */
export function rangeContains({ family, octets, prefixLength }: AddressRange, address: Address): boolean {
  if (address.family !== family) return false;
  const bits = prefixLength ?? FAMILY_BITS[family];
  return octets.every((octet, index) => ((octet ^ address.octets[index]!) & maskOctet(bits, index)) === 0);
}

/** Returns a byte of the netmask that begins with this many one bits. */
function maskOctet(bits: number, index: number): number {
  return (0xff00 >> Math.min(Math.max(bits - 8 * index, 0), 8)) & 0xff;
}

/** Parses a prefix length, or an IPv4 netmask whose one bits are contiguous. */
function parsePrefix(prefix: string, family: AddressFamily): number | undefined {
  if (/^(0|[1-9]\d{0,2})$/.test(prefix)) {
    return Number(prefix) <= FAMILY_BITS[family] ? Number(prefix) : undefined;
  }
  if (family !== "ipv4" || addressFamily(prefix) !== "ipv4") return undefined;
  const bits = readOctets(prefix).map((octet) => octet.toString(2).padStart(8, "0")).join("");
  return /^1*0*$/.test(bits) ? bits.lastIndexOf("1") + 1 : undefined;
}

function addressOf(family: AddressFamily, octets: readonly number[]): Address {
  return { address: family === "ipv4" ? octets.join(".") : formatGroups(octets), family, octets };
}

/** Returns the bytes of a valid IPv4 address. */
function readOctets(address: string): number[] {
  return address.split(".").map(Number);
}

/** Returns the bytes of a valid IPv6 address without a zone. */
function readGroups(address: string): number[] {
  // The URL parser accepts every form of an IPv6 address and returns groups of hexadecimal digits only.
  const [head = "", tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split("::");
  const left = hexGroups(head);
  const right = hexGroups(tail ?? "");
  const zeros = new Array<number>(8 - left.length - right.length).fill(0);
  return [...left, ...zeros, ...right].flatMap((group) => [group >> 8, group & 0xff]);
}

function hexGroups(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

function formatGroups(octets: readonly number[]): string {
  const groups = Array.from({ length: 8 }, (_, index) => octets[2 * index]! << 8 | octets[2 * index + 1]!);
  const text = groups.map((group) => group.toString(16)).join(":");
  return new URL(`http://[${text}]/`).hostname.slice(1, -1);
}
