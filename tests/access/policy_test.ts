import { assertEquals, assertThrows } from "@std/assert";
import { interfaceAddresses } from "../../lib/access/interfaces.ts";
import { mayUse, requester } from "../../lib/access/policy.ts";
import { parseNetwork } from "../../lib/bytes/network.ts";

const INTERFACES = interfaceAddresses([
  { name: "lo", address: "127.0.0.1", cidr: "127.0.0.1/8" },
  { name: "eth0", address: "192.168.1.7", cidr: "192.168.1.7/24" },
  { name: "eth0", address: "192.168.1.8", cidr: "192.168.1.8/24" },
  { name: "eth1", address: "192.168.100.7", cidr: "192.168.100.7/24" },
  { name: "eth1", address: "fd00:1::7", cidr: "fd00:1::7/64" },
]);

const ALICE = "iqn.2011-07.com.example:alice";

/** The rule that refuses, or undefined. */
function refusal(
  { networks = [], initiators = [] }: { networks?: string[]; initiators?: string[] },
  { local = "192.168.1.7", peer = "192.168.1.50", name = ALICE },
): string | undefined {
  const target = { name: "xenserver", networks: networks.map((text) => parseNetwork(text)!), initiators };
  const asking = requester(name, { localAddress: local, peerAddress: peer });
  const decision = mayUse(target, asking, INTERFACES);
  return decision.allowed ? undefined : decision.rule;
}

Deno.test("mayUse() admits every initiator without restrictions", () => {
  assertEquals(refusal({}, {}), undefined);
  assertEquals(refusal({}, { local: "::1", peer: "::1", name: "eui.02004567a425678d" }), undefined);
});

Deno.test("mayUse() wants both ends of the connection in one network", () => {
  const one = ["192.168.100.0/24"];
  const two = ["192.168.1.0/24", "192.168.100.0/24"];
  const option = "networks of [xenserver] (192.168.100.0/24) do not contain";
  const options = "networks of [xenserver] (192.168.1.0/24 192.168.100.0/24) do not contain";
  const rows = [
    [one, "192.168.100.7", "192.168.100.50", undefined],
    [one, "::ffff:192.168.100.7", "::ffff:192.168.100.50", undefined],
    [one, "192.168.100.7", "10.0.0.7", `${option} peer 10.0.0.7`],
    [one, "192.168.1.7", "192.168.100.50", `${option} local address 192.168.1.7`],
    [one, "::ffff:192.168.1.7", "::ffff:10.0.0.7", `${option} local address 192.168.1.7`],
    [two, "192.168.1.7", "192.168.1.50", undefined],
    [two, "192.168.100.7", "192.168.100.50", undefined],
    [
      two,
      "192.168.100.7",
      "192.168.1.50",
      `${options} local address 192.168.100.7 and peer 192.168.1.50 in one network`,
    ],
    [["fd00:1::/64"], "fd00:1::7", "fd00:1::abcd%eth1", undefined],
  ] as const;
  for (const [networks, local, peer, rule] of rows) {
    assertEquals(refusal({ networks: [...networks] }, { local, peer }), rule);
  }
});

Deno.test("mayUse() takes an address of the server for its interface's network, over that address only", () => {
  const networks = ["192.168.1.8"];
  const option = "networks of [xenserver] (192.168.1.8) do not contain";
  assertEquals(refusal({ networks }, { local: "192.168.1.8" }), undefined);
  assertEquals(refusal({ networks }, { local: "192.168.1.7" }), `${option} local address 192.168.1.7`);
  assertEquals(refusal({ networks }, { local: "192.168.1.8", peer: "10.0.0.7" }), `${option} peer 10.0.0.7`);
  assertEquals(refusal({ networks: ["fd00:1::7"] }, { local: "fd00:1::7", peer: "fd00:1::50" }), undefined);
});

Deno.test("mayUse() refuses a peer when its network's address has left the interfaces", () => {
  assertEquals(
    refusal({ networks: ["192.168.1.9"] }, { local: "192.168.1.9" }),
    "networks of [xenserver] (192.168.1.9) do not contain peer 192.168.1.50",
  );
});

Deno.test("mayUse() refuses initiators that are not listed", () => {
  const initiators = [ALICE, "iqn.2011-07.com.example:bob"];
  assertEquals(refusal({ initiators }, {}), undefined);
  assertEquals(refusal({ initiators }, { name: "iqn.2011-07.com.example:bob" }), undefined);
  for (
    const name of ["iqn.2011-07.com.example:carol", "iqn.2011-07.com.example:ali", `${ALICE}a`, ""]
  ) {
    assertEquals(refusal({ initiators }, { name }), `initiators of [xenserver] does not list "${name}"`);
  }
});

Deno.test("mayUse() quotes the name of a refused initiator as the conf and a shell read it", () => {
  assertEquals(
    refusal({ initiators: [ALICE] }, { name: 'iqn.2011-07.com.example:a "b" $(c) \\' }),
    'initiators of [xenserver] does not list "iqn.2011-07.com.example:a \\"b\\" \\$(c) \\\\"',
  );
});

Deno.test("mayUse() wants both rules kept, and names the network first", () => {
  const target = { networks: ["192.168.1.0/24"], initiators: [ALICE] };
  assertEquals(refusal(target, {}), undefined);
  assertEquals(refusal(target, { name: "eui.02004567a425678d" })?.startsWith("initiators"), true);
  assertEquals(refusal(target, { peer: "10.0.0.7" })?.startsWith("networks"), true);
  assertEquals(
    refusal(target, { peer: "10.0.0.7", name: "eui.02004567a425678d" })?.startsWith("networks"),
    true,
  );
});

Deno.test("requester() does not ask for whom has no address", () => {
  assertThrows(
    () => requester(ALICE, { localAddress: "10.0.0.1", peerAddress: "nowhere" }),
    TypeError,
    "nowhere",
  );
});
