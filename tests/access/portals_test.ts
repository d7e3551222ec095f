import { assertEquals } from "@std/assert";
import { interfaceAddresses } from "../../lib/access/interfaces.ts";
import { planPortals } from "../../lib/access/portals.ts";
import { parseNetwork } from "../../lib/bytes/network.ts";

const INTERFACES = interfaceAddresses([
  { name: "lo", address: "127.0.0.1", cidr: "127.0.0.1/8" },
  { name: "lo", address: "::1", cidr: "::1/128" },
  { name: "eth0", address: "192.168.1.7", cidr: "192.168.1.7/24" },
  { name: "eth0", address: "192.168.1.8", cidr: "192.168.1.8/24" },
  { name: "eth0", address: "fe80::1", cidr: "fe80::1/64" },
  { name: "eth1", address: "192.168.100.7", cidr: "192.168.100.7/24" },
  { name: "eth1", address: "fd00:1::7", cidr: "fd00:1::7/64" },
]);

/** Plans for targets `t0`, `t1`, ... with the given networks, and returns the addresses and what did not match. */
function plan(...networks: string[][]): { addresses: string[]; unmatched: string[]; wildcard: boolean } {
  const targets = networks.map((texts, index) => ({
    name: `t${index}`,
    networks: texts.map((text) => parseNetwork(text)!),
  }));
  const { portals, unmatched, wildcard } = planPortals({ targets, port: 3260, interfaces: INTERFACES });
  assertEquals(portals.every(({ port }) => port === 3260), true);
  return {
    addresses: portals.map(({ address }) => address),
    unmatched: unmatched.map(({ targetName, networkText }) => `${targetName} ${networkText}`),
    wildcard,
  };
}

Deno.test("planPortals() listens at the addresses that lie in a target's networks", () => {
  const rows = [
    [[["192.168.100.0/24"]], ["192.168.100.7"]],
    [[["192.168.0.0/16"]], ["192.168.1.7", "192.168.1.8", "192.168.100.7"]],
    [[["192.168.1.8"]], ["192.168.1.8"]],
    [[["192.168.1.8/24"]], ["192.168.1.7", "192.168.1.8"]],
    [[["fd00:1::/64", "192.168.100.7"]], ["192.168.100.7", "fd00:1::7"]],
    [[["192.168.100.0/24"], ["192.168.1.7"], ["192.168.100.7"]], ["192.168.1.7", "192.168.100.7"]],
    [[["127.0.0.0/8", "::1"]], ["127.0.0.1", "::1"]],
    [[["::/0"]], ["::1", "fd00:1::7"]],
    [[], []],
  ] as const;
  for (const [networks, addresses] of rows) {
    const expected = { addresses: [...addresses], unmatched: [], wildcard: false };
    assertEquals(plan(...networks.map((texts) => [...texts])), expected);
  }
});

Deno.test("planPortals() listens at the wildcard address when a target has no networks", () => {
  assertEquals(plan(["192.168.100.0/24"], []), { addresses: ["::"], unmatched: [], wildcard: true });
});

Deno.test("planPortals() names the networks in which the server has no address", () => {
  assertEquals(plan(["10.0.0.0/8", "192.168.1.0/24"], ["192.168.1.9", "10.0.0.0/8"]), {
    addresses: ["192.168.1.7", "192.168.1.8"],
    unmatched: ["t0 10.0.0.0/8", "t1 192.168.1.9", "t1 10.0.0.0/8"],
    wildcard: false,
  });
  assertEquals(plan([], ["10.0.0.0/8"]), { addresses: ["::"], unmatched: ["t1 10.0.0.0/8"], wildcard: true });
});

Deno.test("planPortals() leaves link-local addresses out", () => {
  assertEquals(plan(["fe80::/10"]), { addresses: [], unmatched: ["t0 fe80::/10"], wildcard: false });
});
