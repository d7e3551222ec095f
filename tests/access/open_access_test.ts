import { assertEquals } from "@std/assert";
import { type InterfaceAddress, interfaceAddresses } from "../../lib/access/interfaces.ts";
import { describeOpenAccess, findOpenTargets, type OfferedTarget } from "../../lib/access/open_access.ts";
import { parseNetwork } from "../../lib/bytes/network.ts";

const INTERFACES = addressesOf("127.0.0.1/8", "192.168.100.1/24", "fe80::1/64", "fd00:1::1/64");
const REMEDY = 'set "networks" or "initiators", or "user" and "secret"';

function addressesOf(...cidrs: readonly string[]): InterfaceAddress[] {
  return interfaceAddresses(cidrs.map((cidr) => ({ name: "eth0", address: cidr.split("/")[0]!, cidr })));
}

/** A target without restrictions, except for `changes`. */
function target(
  name: string,
  { networks = [], ...changes }: Partial<Omit<OfferedTarget, "networks">> & { networks?: readonly string[] } =
    {},
): OfferedTarget {
  return {
    name,
    networks: networks.map((text) => parseNetwork(text)!),
    initiators: [],
    chap: undefined,
    redirect: undefined,
    readOnly: false,
    port: 3260,
    ...changes,
  };
}

function describe(
  targets: readonly OfferedTarget[],
  interfaces: readonly InterfaceAddress[] = INTERFACES,
): string | undefined {
  return describeOpenAccess({ targets }, interfaces);
}

Deno.test("findOpenTargets() finds targets without networks, initiators and CHAP", () => {
  const open = [
    target("a"),
    target("readonly", { readOnly: true }),
    target("ipv4", { networks: ["10.0.0.0/8", "0.0.0.0/0"] }),
    target("ipv6", { networks: ["::/0"] }),
  ];
  const closed = [
    target("networks", { networks: ["192.168.100.0/24"] }),
    target("loopback", { networks: ["127.0.0.0/8"] }),
    target("initiators", { initiators: ["iqn.2011-07.com.example:a"] }),
    target("chap", { chap: {} }),
    target("elsewhere", { redirect: {} }),
    target("both", { networks: ["0.0.0.0/0"], initiators: ["iqn.2011-07.com.example:a"] }),
  ];
  assertEquals(findOpenTargets([...closed, ...open]), open);
  assertEquals(describe(closed), undefined);
  assertEquals(describe([]), undefined);
});

Deno.test("describeOpenAccess() names the addresses that others reach, and what they can do", () => {
  const portals = "192.168.100.1:3260 or [fd00:1::1]:3260";
  assertEquals(
    describe([target("a")]),
    `Any machine that reaches ${portals} can read and overwrite [a]: ${REMEDY}`,
  );
  assertEquals(
    describe([target("a"), target("b", { readOnly: true }), target("c")]),
    `Any machine that reaches ${portals} can read and overwrite [a] and [c], and read [b]: ${REMEDY}`,
  );
  assertEquals(
    describe([target("a", { networks: ["::/0"], readOnly: true })]),
    `Any machine that reaches [fd00:1::1]:3260 can read [a]: ${REMEDY}`,
  );
  assertEquals(
    describe([target("a")], addressesOf("127.0.0.1/8", "::1/128")),
    `Any machine that reaches port 3260 of this server can read and overwrite [a]: ${REMEDY}`,
  );
});

Deno.test("describeOpenAccess() has one sentence for many targets and addresses", () => {
  const targets = Array.from({ length: 50 }, (_, index) => target(`t${index}`));
  const cidrs = Array.from({ length: 9 }, (_, index) => `10.0.0.${index + 1}/24`);
  assertEquals(
    describe(targets, addressesOf(...cidrs)),
    "Any machine that reaches 10.0.0.1:3260, 10.0.0.2:3260 or 7 more can read and overwrite " +
      `[t0], [t1], [t2] and 47 more: ${REMEDY}`,
  );
});
