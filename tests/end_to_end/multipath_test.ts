/** Several paths to one target: a server with two network cards, in a network namespace of the test. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Initiator } from "../support/initiator.ts";
import { inquiry, read10, testUnitReady, write10 } from "../support/initiator_cdb.ts";
import { findNamespaceObstacle, testUnless } from "../support/obstacles.ts";
import { iscsiCommand, runIscsi, ServerProcess } from "../support/server_process.ts";
import { findMissing, runToolOk } from "../support/tools.ts";
import { TwoCards } from "../support/two_cards.ts";
import { until } from "../support/until.ts";
import { Appliance } from "./appliance.ts";

const TARGET = "iqn.2002-08.info.netmanager:disk";
const DEVICE_IDENTIFICATION = 0x83;
const BLOCK_BYTES = 512;

const OBSTACLE = findMissing(["ip"]) ?? findNamespaceObstacle();

/** A server with two cards, and what a test needs to use it. */
interface Bed {
  readonly cards: TwoCards;
  readonly server: ServerProcess;
  readonly appliance: Appliance;
}

/** Builds and serves a target in a namespace; `networks` gets the networks of its cables. */
async function withServer(
  networks: (cards: TwoCards) => readonly string[],
  use: (bed: Bed) => Promise<void>,
): Promise<void> {
  await using cards = await TwoCards.create();
  const listed = networks(cards);
  const line = listed.length === 0 ? "" : `networks = ${listed.join(" ")}\n`;
  using appliance = Appliance.create(`[disk]\nsize = 64MB\n${line}`);
  const { code, stderr } = await appliance.build();
  assertEquals(code, 0, stderr);
  await using server = await ServerProcess
    .launchBelow(cards.wrapper, ["serve", "--conf", appliance.confPath]).untilReady();
  await use({ cards, server, appliance });
}

async function discover({ appliance: { port } }: Bed, at: string): Promise<readonly string[]> {
  const initiator = await Initiator.connect(port, {}, at);
  await initiator.login();
  const targets = await initiator.sendTargets();
  await initiator.close();
  return targets.flatMap(({ addresses }) => addresses);
}

/** Logs in over a card, and takes the unit attention of a new nexus. */
async function logIn({ appliance: { port } }: Bed, at: string, path: number): Promise<Initiator> {
  const initiator = await Initiator.connect(port, {}, at);
  await initiator.login({ targetName: TARGET, isid: Uint8Array.of(0x80, 0, 0, 0, 0, path) });
  await initiator.command({ cdb: testUnitReady() });
  return initiator;
}

async function write(initiator: Initiator, value: number): Promise<void> {
  const data = new Uint8Array(BLOCK_BYTES).fill(value);
  assertEquals((await initiator.command({ cdb: write10(0, 1), write: data })).status, 0);
}

async function read(initiator: Initiator): Promise<number | undefined> {
  const { status, data } = await initiator.command({ cdb: read10(0, 1), read: BLOCK_BYTES });
  assertEquals([status, data.length], [0, BLOCK_BYTES]);
  return data[0];
}

/** Returns `targets[0].paths` of `iscsi status`. */
async function pathsOf({ appliance }: Bed): Promise<unknown> {
  const { stdout } = await runIscsi(["status", "--json", "--conf", appliance.confPath]);
  return JSON.parse(stdout).targets[0].paths;
}

testUnless(
  OBSTACLE,
  "a target in two networks has two paths, and one goes and comes back while the other serves",
  () =>
    withServer(({ cables }) => cables.map(({ network }) => network), async (bed) => {
      const { cards: { cables: [first, second] }, cards, server, appliance: { port } } = bed;
      const portals = [`${first.server}:${port}`, `${second.server}:${port}`] as const;
      const [a, b] = [`${portals[0]},1`, `${portals[1]},1`];
      assertEquals([await discover(bed, first.server), await discover(bed, second.server)], [[a, b], [b, a]]);
      assertEquals(await pathsOf(bed), [
        { network: first.network, portals },
        { network: second.network, portals: portals.toReversed() },
      ]);

      const overFirst = await logIn(bed, first.server, 1);
      const overSecond = await logIn(bed, second.server, 2);
      const pages = [];
      for (const initiator of [overFirst, overSecond]) {
        pages.push((await initiator.command({ cdb: inquiry(255, DEVICE_IDENTIFICATION), read: 255 })).data);
      }
      assert(pages[0]!.length > 4 + 12, "it has designators");
      assertEquals(pages[0], pages[1], "one LUN, and one port with one relative identifier and one group");
      await write(overFirst, 1);
      assertEquals(await read(overSecond), 1);

      await cards.switch(first.card, "down");
      const waiting = read(overFirst);
      let isAnswered = false;
      waiting.then(() => isAnswered = true, () => {});
      await write(overSecond, 2);
      assertEquals(await discover(bed, second.server), [b, a], "the path is expected back");
      assert(!isAnswered, "the path is gone");
      await cards.switch(first.card, "up");
      assert([1, 2].includes((await waiting)!), "its session has survived");
      assertEquals(await read(overFirst), 2);
      await overFirst.close();

      await cards.readdress(first, "delete");
      await server.waitForLog("The server's addresses have changed", 20_000);
      assertEquals(await discover(bed, second.server), [b]);
      assertEquals(await pathsOf(bed), [
        { network: first.network, portals: [] },
        { network: second.network, portals: [portals[1]] },
      ]);

      await cards.readdress(first, "add");
      const line = `listening on ${portals[0]}\n`;
      await until(() => server.stdout.split(line).length > 2, "it listens there again");
      assertEquals(await discover(bed, second.server), [b, a]);
      const again = await logIn(bed, first.server, 3);
      assertEquals(await read(again), 2);
      for (const initiator of [overSecond, again]) await initiator.close();
    }),
);

testUnless(
  OBSTACLE,
  "a session has connections over both cards of a server, which are one portal group",
  () =>
    withServer(({ cables }) => cables.map(({ server }) => server), async (bed) => {
      const { cards: { cables: [first, second] }, appliance: { port } } = bed;
      const leading = await Initiator.connect(port, {}, first.server);
      const { tsih } = await leading.login({ targetName: TARGET, keys: { MaxConnections: "2" } });
      await leading.command({ cdb: testUnitReady() });
      const joined = await Initiator.connect(port, { numbers: leading.numbers }, second.server);
      await joined.join(leading, { targetName: TARGET, tsih, connectionId: 1 });
      await write(leading, 7);
      assertEquals(await read(joined), 7);
      for (const initiator of [joined, leading]) await initiator.close();
    }),
);

testUnless(
  OBSTACLE ?? findMissing(["iscsi-ls"]),
  "iscsi-ls finds the other path of a target without networks at the other card, and check tells how it gets both",
  () =>
    withServer(() => [], async (bed) => {
      const { cards, appliance: { port, confPath } } = bed;
      for (const { server } of cards.cables) {
        const stdout = await runToolOk("iscsi-ls", ["-s", `iscsi://${server}:${port}`]);
        const found = stdout.match(/^Target:.*$/gm)!.map((line) => line.replace(/^Target:(\S+).*?:/, "$1 "));
        assertEquals(found.map((line) => line.trim()), [`${TARGET} ${server}:${port},1`]);
        assertMatch(stdout, /Lun:0/i);
      }
      const { program, args } = iscsiCommand();
      const [enter, ...words] = [...cards.wrapper, program, ...args, "check", "--conf", confPath];
      const checked = await runToolOk(enter!, words);
      assertMatch(checked, /^ {2}paths {7}only the address that discovery asks.*\n.* "networks"$/m);
      for (const { server } of cards.cables) assert(checked.includes(` ${server}:${port}\n`));
    }),
);
