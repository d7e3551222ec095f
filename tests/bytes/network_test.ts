import { assertEquals } from "@std/assert";
import {
  addressFamily,
  parseAddress,
  parseNetwork,
  plainAddress,
  rangeContains,
} from "../../lib/bytes/network.ts";

Deno.test("parseNetwork() reads networks and bare addresses, and clears the host part", () => {
  const rows = [
    ["192.168.100.0/24", "192.168.100.0", 24, "ipv4"],
    ["192.168.100.7/24", "192.168.100.0", 24, "ipv4"],
    ["192.168.100.7/255.255.255.0", "192.168.100.0", 24, "ipv4"],
    ["10.1.2.3/0.0.0.0", "0.0.0.0", 0, "ipv4"],
    ["255.255.255.255/32", "255.255.255.255", 32, "ipv4"],
    ["10.255.255.255/9", "10.128.0.0", 9, "ipv4"],
    ["0.0.0.0/0", "0.0.0.0", 0, "ipv4"],
    ["192.168.100.7", "192.168.100.7", undefined, "ipv4"],
    ["fd00:1::/64", "fd00:1::", 64, "ipv6"],
    ["FD00:1:0:0:1::7/64", "fd00:1::", 64, "ipv6"],
    ["::1/128", "::1", 128, "ipv6"],
    ["::/0", "::", 0, "ipv6"],
    ["2001:db8:ffff::/33", "2001:db8:8000::", 33, "ipv6"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1", undefined, "ipv6"],
  ] as const;
  for (const [text, address, prefixLength, family] of rows) {
    const { octets } = parseAddress(address)!;
    assertEquals(parseNetwork(text), { text, address, prefixLength, family, octets });
  }
});

Deno.test("parseNetwork() refuses everything else", () => {
  const texts = [
    ["", "/", "/24", "10.0.0.1/", "10.0.0/24", "10.0.0.0.0/8", "localhost", "eth0"],
    ["10.0.0.256", "010.0.0.1", "10.0.0.1/33", "10.0.0.1/024", "10.0.0.1/+8", "10.0.0.1/-1", "10.0.0.1/8/8"],
    ["10.0.0.1:3260", "10.0.0.1/255.0.255.0", "10.0.0.1/255.255.255.256", "0x0a.0.0.1", "167772161"],
    ["::1/129", "[::1]", "fe80::1%eth0", "fe80::%2/10", "1::2::3", "fd00::/ffff::", "::ffff:10.0.0.0/104"],
    [" 10.0.0.1", "10.0.0.1 ", "10.0.0.1/8 ", "10.0.0.1\n", "10.0.0.1/8\n", "10.0.0.1/1e1"],
  ].flat();
  for (const text of texts) assertEquals(parseNetwork(text), undefined, text);
});

Deno.test("plainAddress() returns the same text for equal addresses", () => {
  const rows = [
    ["10.0.0.7", "10.0.0.7"],
    ["::ffff:10.0.0.7", "10.0.0.7"],
    ["::FFFF:a00:7", "10.0.0.7"],
    ["0:0:0:0:0:ffff:255.255.255.255", "255.255.255.255"],
    ["::ffff:10.0.0.7%2", "10.0.0.7"],
    ["fe80::1%eth0", "fe80::1"],
    ["FD00:0:0::0:07", "fd00::7"],
    ["2001:db8::0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["::10.0.0.7", "::a00:7"],
    ["::fffe:10.0.0.7", "::fffe:a00:7"],
    ["not an address%", "not an address%"],
  ] as const;
  for (const [address, plain] of rows) assertEquals(plainAddress(address), plain);
});

Deno.test("parseAddress() reads every byte, with or without a zone, and nothing else", () => {
  const rows = [
    ["10.0.0.7", "0a000007"],
    ["::ffff:10.0.0.7%2", "0a000007"],
    ["fe80::1%eth0", "fe800000000000000000000000000001"],
    ["2001:db8:1234:5678:9abc:def0:ff:7f01", "20010db8123456789abcdef000ff7f01"],
    ["::", "00000000000000000000000000000000"],
  ] as const;
  for (const [text, hex] of rows) {
    assertEquals(Uint8Array.from(parseAddress(text)!.octets).toHex(), hex, text);
  }
  for (const text of ["", "not an address", "10.0.0.7%2", "10.0.0.7/8", "1::2::3"]) {
    assertEquals(parseAddress(text), undefined, text);
  }
});

Deno.test("addressFamily() distinguishes addresses from other text", () => {
  const rows = [
    ["10.0.0.7", "ipv4"],
    ["::ffff:10.0.0.7", "ipv6"],
    ["fe80::1", "ipv6"],
    ["fe80::1%eth0", undefined],
    ["10.0.0.7/8", undefined],
    ["", undefined],
  ] as const;
  for (const [address, family] of rows) assertEquals(addressFamily(address), family, address);
});

Deno.test("rangeContains() compares the network part", () => {
  const rows = [
    ["192.168.100.0/24", "192.168.100.255", true],
    ["192.168.100.0/24", "192.168.101.0", false],
    ["192.168.100.0/24", "::ffff:192.168.100.9", true],
    ["192.168.100.0/24", "::192.168.100.9", false],
    ["10.128.0.0/9", "10.128.0.0", true],
    ["10.128.0.0/9", "10.127.255.255", false],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["::/0", "203.0.113.9", false],
    ["::/0", "2001:db8::1", true],
    ["fd00:1::/64", "fd00:1::ffff:ffff:ffff:ffff%3", true],
    ["fd00:1::/64", "fd00:1:0:1::", false],
    ["10.0.0.7/32", "10.0.0.7", true],
    ["10.0.0.7/32", "10.0.0.6", false],
    ["10.0.0.7", "::ffff:10.0.0.7", true],
    ["10.0.0.7", "10.0.0.8", false],
    ["fd00::7", "FD00:0::7", true],
    ["10.0.0.6/31", "10.0.0.7", true],
    ["10.0.0.6/31", "10.0.0.8", false],
  ] as const;
  for (const [text, address, contained] of rows) {
    assertEquals(rangeContains(parseNetwork(text)!, parseAddress(address)!), contained, `${text} ${address}`);
  }
});
