import { assertEquals } from "@std/assert";
import { interfaceAddresses } from "../../lib/access/interfaces.ts";
import { targetPortals } from "../../lib/access/target_portals.ts";
import { parseAddress, parseNetwork } from "../../lib/bytes/network.ts";

const INTERFACES = interfaceAddresses([
  { name: "lo", address: "127.0.0.1", cidr: "127.0.0.1/8" },
  { name: "lo", address: "::1", cidr: "::1/128" },
  { name: "eth0", address: "192.168.1.7", cidr: "192.168.1.7/24" },
  { name: "eth0", address: "fe80::1", cidr: "fe80::1/64" },
  { name: "eth1", address: "192.168.100.7", cidr: "192.168.100.7/24" },
  { name: "eth1", address: "fd00:1::7", cidr: "fd00:1::7/64" },
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
