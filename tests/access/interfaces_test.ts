import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { interfaceAddresses, isLinkLocal, isLoopback, peerRange } from "../../lib/access/interfaces.ts";
import { parseAddress, parseNetwork } from "../../lib/bytes/network.ts";

const LIST = [
  { name: "lo", address: "127.0.0.1", cidr: "127.0.0.1/8" },
  { name: "eth0", address: "192.168.100.7", cidr: "192.168.100.7/24" },
  { name: "eth0", address: "fe80::1%eth0", cidr: "fe80::1%eth0/64" },
  { name: "eth0", address: "FD00:1:0::7", cidr: "fd00:1::7/64" },
];

Deno.test("interfaceAddresses() converts the addresses of the system", () => {
  assertEquals(interfaceAddresses(LIST), [
    { name: "lo", prefixLength: 8, ...parseAddress("127.0.0.1")! },
    { name: "eth0", prefixLength: 24, ...parseAddress("192.168.100.7")! },
    { name: "eth0", prefixLength: 64, ...parseAddress("fe80::1")! },
    { name: "eth0", prefixLength: 64, ...parseAddress("fd00:1::7")! },
  ]);
});

Deno.test({
  name: "interfaceAddresses() understands this system",
  permissions: { sys: ["networkInterfaces"] },
  fn(): void {
    const list = Deno.networkInterfaces();
    const addresses = interfaceAddresses(list);
    assertEquals(addresses.length, list.length);
    for (const { address, prefixLength } of addresses) {
      assert(parseNetwork(`${address}/${prefixLength}`), address);
    }
  },
});

Deno.test("peerRange() takes an address of the server for the network of its interface", () => {
  const interfaces = interfaceAddresses(LIST);
  const network = parseNetwork("10.0.0.0/8")!;
  assertStrictEquals(peerRange(network, interfaces), network);
  assertStrictEquals(peerRange(parseNetwork("192.168.100.7")!, interfaces), interfaces[1]);
  assertStrictEquals(peerRange(parseNetwork("fd00:1:0:0::7")!, interfaces), interfaces[3]);
  assertEquals(peerRange(parseNetwork("192.168.100.8")!, interfaces), undefined);
});

Deno.test("isLoopback() and isLinkLocal() tell addresses of narrow scope", () => {
  const rows = [
    ["127.0.0.1", true, false],
    ["127.255.0.9", true, false],
    ["::1", true, false],
    ["fe80::1", false, true],
    ["febf::1", false, true],
    ["fec0::1", false, false],
    ["fd00::1", false, false],
    ["192.168.100.7", false, false],
    ["::", false, false],
  ] as const;
  for (const [address, loopback, linkLocal] of rows) {
    assertEquals([isLoopback(address), isLinkLocal(address)], [loopback, linkLocal], address);
  }
});
