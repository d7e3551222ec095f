import { assertEquals } from "@std/assert";
import { interfaceAddresses } from "../../lib/access/interfaces.ts";
import { networkPaths, targetPortals } from "../../lib/access/target_portals.ts";
import { parseAddress, parseNetwork } from "../../lib/bytes/network.ts";

const INTERFACES = interfaceAddresses([
  { name: "lo", address: "127.0.0.1", cidr: "127.0.0.1/8" },
  { name: "lo", address: "::1", cidr: "::1/128" },
  { name: "eth0", address: "192.168.1.7", cidr: "192.168.1.7/24" },
  { name: "eth0", address: "fe80::1", cidr: "fe80::1/64" },
  { name: "eth1", address: "192.168.100.7", cidr: "192.168.100.7/24" },
  { name: "eth1", address: "fd00:1::7", cidr: "fd00:1::7/64" },
]);

/** Addresses that mean nothing to machines elsewhere: of bridges for guests, and link-local. */
const LOCAL_ONLY = interfaceAddresses([
  { name: "docker0", address: "172.17.0.1", cidr: "172.17.0.1/16" },
  { name: "br-0123456789ab", address: "172.18.0.1", cidr: "172.18.0.1/16" },
  { name: "virbr0", address: "192.168.122.1", cidr: "192.168.122.1/24" },
  { name: "usb0", address: "169.254.0.2", cidr: "169.254.0.2/16" },
]);

Deno.test("targetPortals() names the connection's own address, and then the others in the target's networks", () => {
  const rows = [
    [[], "192.168.1.7", ["192.168.1.7"]],
    [["192.168.1.0/24"], "192.168.1.7", ["192.168.1.7"]],
    [["192.168.0.0/16"], "192.168.1.7", ["192.168.1.7", "192.168.100.7"]],
    [["192.168.0.0/16"], "::ffff:192.168.100.7", ["192.168.100.7", "192.168.1.7"]],
    [["192.168.1.0/24", "fd00:1::7"], "fd00:1::7", ["fd00:1::7", "192.168.1.7"]],
    [["0.0.0.0/0", "::/0"], "192.168.1.7", ["192.168.1.7", "192.168.100.7", "fd00:1::7"]],
    [["0.0.0.0/0", "::/0"], "127.0.0.1", ["127.0.0.1"]],
    [["0.0.0.0/0", "::/0"], "::1", ["::1"]],
    [["10.0.0.0/8"], "10.0.0.9", ["10.0.0.9"]],
  ] as const;
  for (const [networks, localAddress, addresses] of rows) {
    const target = { networks: networks.map((text) => parseNetwork(text)!) };
    assertEquals(targetPortals(target, { local: parseAddress(localAddress)! }, INTERFACES), [...addresses]);
  }
});

Deno.test("targetPortals() names an address that is of no use elsewhere only over itself", () => {
  const target = { networks: [parseNetwork("0.0.0.0/0")!] };
  const interfaces = [...LOCAL_ONLY, ...INTERFACES];
  const cards = ["192.168.1.7", "192.168.100.7"];
  for (const { address } of LOCAL_ONLY) {
    assertEquals(targetPortals(target, { local: parseAddress(address)! }, interfaces), [address, ...cards]);
  }
  assertEquals(targetPortals(target, { local: parseAddress("192.168.1.7")! }, interfaces), cards);
});

Deno.test("targetPortals() names bridges of cards, and interfaces with names like those for guests", () => {
  const names = ["br0", "br-storage", "vmbr0", "xenbr0", "bond0.100", "docker", "wg0"];
  const interfaces = names.flatMap((name, index) => {
    const address = `10.0.${index}.1`;
    return interfaceAddresses([{ name, address, cidr: `${address}/24` }]);
  });
  const target = { networks: [parseNetwork("10.0.0.0/8")!] };
  assertEquals(
    targetPortals(target, { local: parseAddress("10.0.0.1")! }, interfaces),
    interfaces.map(({ address }) => address),
  );
});

Deno.test("networkPaths() returns the portals that initiators of each network get, the asked one first", () => {
  const rows = [
    [["192.168.100.0/24", "fd00:1::7", "10.0.0.0/8"], [
      ["192.168.100.0/24", ["192.168.100.7:3260", "[fd00:1::7]:3260"]],
      ["fd00:1::7", ["[fd00:1::7]:3260", "192.168.100.7:3260"]],
      ["10.0.0.0/8", []],
    ]],
    [["0.0.0.0/0"], [["0.0.0.0/0", ["192.168.1.7:3260", "192.168.100.7:3260"]]]],
    [["127.0.0.0/8"], [["127.0.0.0/8", ["127.0.0.1:3260"]]]],
    [["172.17.0.0/16"], [["172.17.0.0/16", ["172.17.0.1:3260"]]]],
    [["fe80::/10"], [["fe80::/10", []]]],
    [[], [
      ["192.168.1.0/24", ["192.168.1.7:3260"]],
      ["192.168.100.0/24", ["192.168.100.7:3260"]],
      ["fd00:1::/64", ["[fd00:1::7]:3260"]],
    ]],
  ] as const;
  for (const [networks, expected] of rows) {
    const target = { networks: networks.map((text) => parseNetwork(text)!) };
    assertEquals(
      networkPaths(target, 3260, [...INTERFACES, ...LOCAL_ONLY]),
      expected.map(([network, portals]) => ({ network, portals: [...portals] })),
    );
  }
});
