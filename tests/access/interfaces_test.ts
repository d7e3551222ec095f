import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { interfaceAddresses, isLinkLocal, isLoopback, peerNetwork } from "../../lib/access/interfaces.ts";
import { parseNetwork } from "../../lib/bytes/network.ts";

const LIST = [
  { name: "lo", address: "127.0.0.1", cidr: "127.0.0.1/8" },
  { name: "eth0", address: "192.168.100.7", cidr: "192.168.100.7/24" },
  { name: "eth0", address: "fe80::1%eth0", cidr: "fe80::1%eth0/64" },
  { name: "eth0", address: "FD00:1:0::7", cidr: "fd00:1::7/64" },
];

Deno.test("interfaceAddresses() converts what the system says", () => {
  assertEquals(interfaceAddresses(LIST), [
    { name: "lo", address: "127.0.0.1", prefixLength: 8, family: "ipv4" },
    { name: "eth0", address: "192.168.100.7", prefixLength: 24, family: "ipv4" },
    { name: "eth0", address: "fe80::1", prefixLength: 64, family: "ipv6" },
    { name: "eth0", address: "fd00:1::7", prefixLength: 64, family: "ipv6" },
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

Deno.test("peerNetwork() takes an address of the server for the network of its interface", () => {
  const interfaces = interfaceAddresses(LIST);
  const network = parseNetwork("10.0.0.0/8")!;
  assertStrictEquals(peerNetwork(network, interfaces), network);
  assertEquals(peerNetwork(parseNetwork("192.168.100.7")!, interfaces)?.address, "192.168.100.0");
  assertEquals(peerNetwork(parseNetwork("192.168.100.7")!, interfaces)?.prefixLength, 24);
  assertEquals(peerNetwork(parseNetwork("fd00:1:0:0::7")!, interfaces)?.address, "fd00:1::");
  assertEquals(peerNetwork(parseNetwork("192.168.100.8")!, interfaces), undefined);
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
