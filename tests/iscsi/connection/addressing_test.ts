/** The addresses that a target reports for itself (RFC 7143, 13.8 and 13.9), over every kind of address. */
import { assertEquals } from "@std/assert";
import { interfaceAddresses } from "../../../lib/access/interfaces.ts";
import { decodeText } from "../../support/initiator_text.ts";
import { nameOf, withHarness } from "../../support/harness.ts";

const INTERFACES = interfaceAddresses([
  { name: "lo", address: "127.0.0.1", cidr: "127.0.0.1/8" },
  { name: "lo", address: "::1", cidr: "::1/128" },
  { name: "eth0", address: "10.0.0.1", cidr: "10.0.0.1/24" },
  { name: "eth0", address: "10.0.1.1", cidr: "10.0.1.1/24" },
  { name: "eth0", address: "fd00:1::7", cidr: "fd00:1::7/64" },
  { name: "eth0", address: "fe80::1", cidr: "fe80::1/64" },
]);

/** Our end of a connection as a socket reports it, theirs, and the TargetAddress of a target with all networks. */
const OWN_ADDRESSES: readonly (readonly [local: string, peer: string, told: string])[] = [
  ["10.0.0.1", "10.0.0.2", "10.0.0.1:3260,1"],
  ["::ffff:10.0.0.1", "::ffff:10.0.0.2", "10.0.0.1:3260,1"],
  ["fd00:1::7", "fd00:1::8", "[fd00:1::7]:3260,1"],
  ["FD00:1:0:0:0:0:0:7", "fd00:1::8", "[fd00:1::7]:3260,1"],
  // A zone means something to the machine that it belongs to, and to no other.
  ["fe80::1%eth0", "fe80::2%eth0", "[fe80::1]:3260,1"],
  ["127.0.0.1", "127.0.0.1", "127.0.0.1:3260,1"],
  ["::1", "::1", "[::1]:3260,1"],
];

for (const [localAddress, peerAddress, told] of OWN_ADDRESSES) {
  Deno.test(`TargetAddress over ${localAddress} is ${told}`, () =>
    withHarness({ interfaces: INTERFACES }, async (harness) => {
      const initiator = harness.connect({ ends: { localAddress, peerAddress } });
      await initiator.login();
      assertEquals(await initiator.sendTargets("All"), [{ name: nameOf(), addresses: [told] }]);
    }));
}

Deno.test("TargetAddress names the port of the connection", () =>
  withHarness({}, async (harness) => {
    const initiator = harness.connect({ ends: { localPort: 860 } });
    await initiator.login();
    assertEquals((await initiator.sendTargets())[0]!.addresses, ["10.0.0.1:860,1"]);
  }));

Deno.test("a target with networks is told with every portal in them, IPv4 and IPv6, whichever is asked", () =>
  withHarness({
    targets: [{ networks: ["10.0.0.0/16", "fd00:1::/64"] }],
    interfaces: INTERFACES,
  }, async (harness) => {
    const portals = ["10.0.0.1:3260,1", "10.0.1.1:3260,1", "[fd00:1::7]:3260,1"];
    const ends = [
      { localAddress: "::ffff:10.0.1.1", peerAddress: "::ffff:10.0.1.9" },
      { localAddress: "fd00:1::7", peerAddress: "fd00:1::9" },
    ];
    for (const each of ends) {
      const initiator = harness.connect({ ends: each });
      await initiator.login();
      const [target] = await initiator.sendTargets();
      assertEquals(target!.addresses.toSorted(), portals);
      await initiator.close();
    }
  }));

Deno.test("a network of IPv6 admits who is in it, by whatever way its address is written", () =>
  withHarness({ targets: [{ networks: ["fd00:1::/64"] }], interfaces: INTERFACES }, async (harness) => {
    const tell = async (localAddress: string, peerAddress: string): Promise<number> => {
      const initiator = harness.connect({ ends: { localAddress, peerAddress } });
      await initiator.login();
      const targets = await initiator.sendTargets();
      await initiator.close();
      return targets.length;
    };
    assertEquals(await tell("fd00:1::7", "FD00:0001:0:0::9"), 1);
    assertEquals(await tell("fd00:1::7", "fd00:2::9"), 0);
    assertEquals(await tell("10.0.0.1", "10.0.0.2"), 0);
    assertEquals(await tell("fe80::1%eth0", "fe80::2%eth0"), 0);
  }));

Deno.test("the portal group tag is the same in the login, in discovery and in a normal session (13.9)", () =>
  withHarness({ interfaces: INTERFACES }, async (harness) => {
    const ends = { localAddress: "fd00:1::7", peerAddress: "fd00:1::8" };
    const initiator = harness.connect({ ends });
    const { answered, responses } = await initiator.login({ targetName: nameOf() });
    assertEquals(new Map(answered).get("TargetPortalGroupTag"), "1");
    assertEquals(new Map(decodeText(responses[0]!.data)).get("TargetPortalGroupTag"), "1");
    assertEquals((await initiator.sendTargets(""))[0]!.addresses, ["[fd00:1::7]:3260,1"]);
    const discovery = harness.connect({ ends });
    const first = (await discovery.login()).responses[0]!;
    assertEquals(
      new Map(decodeText(first.data)).get("TargetPortalGroupTag"),
      "1",
      "in every session (6.3.1)",
    );
    assertEquals((await discovery.sendTargets())[0]!.addresses, ["[fd00:1::7]:3260,1"]);
  }));

Deno.test("initiators are known by eui. and naa. names too, in any letter case", () =>
  withHarness({
    targets: [{
      initiators: ["eui.02004567a425678d", "naa.52004567ba64678d", "iqn.2001-04.com.example:\u00e4"],
    }],
  }, async (harness) => {
    const names = ["EUI.02004567A425678D", "naa.52004567BA64678D", "iqn.2001-04.com.EXAMPLE:a\u0308"];
    for (const initiatorName of names) {
      const initiator = harness.connect();
      await initiator.login({ targetName: nameOf(), initiatorName });
      await initiator.close();
    }
    const stranger = harness.connect();
    const refused = await stranger.login({ targetName: nameOf(), initiatorName: "eui.02004567a425678e" })
      .then(() => "let in", ({ status }) => status);
    assertEquals(refused, 0x0203);
  }));
