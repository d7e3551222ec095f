/** A storage folder that two hosts serve in turn. The hosts are namespaces of one kernel. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Initiator } from "../support/initiator.ts";
import { inquiry, modeSense10, readCapacity16, reportLuns, testUnitReady } from "../support/initiator_cdb.ts";
import { findHostObstacle, onHost, runIscsiOn } from "../support/hosts.ts";
import {
  findMountObstacle,
  findNamespaceObstacle,
  findOwnMountsObstacle,
  OWN_MOUNTS,
  testUnless,
} from "../support/obstacles.ts";
import { runIscsi, ServerProcess } from "../support/server_process.ts";
import { findMissing, runToolOk } from "../support/tools.ts";
import { TwoCards } from "../support/two_cards.ts";
import { APTPL, EXCLUSIVE_ACCESS, REGISTER, RESERVE, reserveOut } from "./_reserve_out.ts";
import { Appliance } from "./appliance.ts";

const CONF = "[disk]\nsize = 4MB 8MB\nnetworks = 127.0.0.0/8\n";
const DISK = "iqn.2002-08.info.netmanager:disk";

/** Starts a server on a host of this name. */
function serveOn(host: string, { confPath }: Appliance): Promise<ServerProcess> {
  return ServerProcess.launchBelow(onHost(host), ["serve", "--conf", confPath]).untilReady();
}

testUnless(
  findMissing(["lslocks"]) ?? findHostObstacle(),
  "a server that another host has the storage folder of names the host and its process",
  async () => {
    using appliance = Appliance.create(CONF);
    const { confPath, storage } = appliance;
    assertEquals((await appliance.build()).code, 0);
    await using server = await serveOn("alpha", appliance);
    const subject = `iscsi: Cannot serve "${storage}": process ${server.pid}`;
    const onBeta = await runIscsiOn("beta", ["serve", "--conf", confPath]);
    assertEquals([onBeta.code, onBeta.stderr], [1, `${subject} on host "alpha" serves it already\n`]);
    const onAlpha = await runIscsiOn("alpha", ["serve", "--conf", confPath]);
    assertEquals([onAlpha.code, onAlpha.stderr], [1, `${subject} serves it already\n`]);
  },
);

testUnless(
  findMissing(["lslocks"]) ?? findOwnMountsObstacle(),
  "a server in a PID namespace has the number that is valid outside, and none for those inside another",
  async () => {
    using appliance = Appliance.create(CONF);
    const { confPath, storage } = appliance;
    assertEquals((await appliance.build()).code, 0);
    const inside = [...OWN_MOUNTS, "--pid", "--fork", "--kill-child=SIGTERM", "--mount-proc"];
    const words = ["serve", "--conf", confPath];
    const server = await ServerProcess.launchBelow(inside, words).untilReady();
    // In its namespace the server is process 1, and on the outside the child of "unshare".
    const children = Deno.readTextFileSync(`/proc/${server.pid}/task/${server.pid}/children`).trim();
    try {
      const outside = await runIscsi(words);
      assertEquals(
        outside.stderr,
        `iscsi: Cannot serve "${storage}": process ${children} serves it already\n`,
      );
      const refused = ServerProcess.launchBelow(inside, words);
      await refused.waitForLog("serves it already", 20_000);
      assertEquals(refused.stderr, `iscsi: Cannot serve "${storage}": another process serves it already\n`);
      await refused.stop();
    } finally {
      // "unshare" passes no signal on.
      Deno.kill(Number(children), "SIGTERM");
      await server.stop();
    }
  },
);

testUnless(
  findMissing(["bindfs", "findmnt"]) ?? findMountObstacle(),
  "a server takes --force on a file system whose locks other machines may not see",
  async () => {
    using appliance = Appliance.create(CONF);
    const { confPath, storage, folder } = appliance;
    const source = `${folder}/source`;
    for (const path of [source, storage]) Deno.mkdirSync(path);
    await runToolOk("bindfs", [source, storage]);
    try {
      const danger = "a server on another machine may not see its lock, and would write to the same disks " +
        "(file system fuse";
      const built = await appliance.build();
      assertEquals(built.code, 0, built.stderr);
      assertStringIncludes(built.stderr, `warning: Storage folder "${storage}": ${danger}`);
      assertStringIncludes((await runIscsi(["check", "--conf", confPath])).stderr, danger);
      const refused = await runIscsi(["serve", "--conf", confPath]);
      assertEquals(refused.code, 1);
      assertStringIncludes(refused.stderr, `Cannot serve "${storage}": ${danger}`);
      assertStringIncludes(refused.stderr, ", or, where only this machine uses it, add --force\n");
      await using server = await ServerProcess.launchBelow([], ["serve", "--force", "--conf", confPath])
        .untilReady();
      const warning = `"${storage}" is served by --force: ${danger}`;
      assertStringIncludes(server.stderr, warning);
      const status = JSON.parse((await runIscsi(["status", "--json", "--conf", confPath])).stdout);
      assertEquals(status.warnings.filter((text: string) => text.startsWith(warning)).length, 1);
    } finally {
      await runToolOk("umount", [storage]);
    }
  },
);

Deno.test("a server that has lost its lock ends at once, and says who has it", async () => {
  using appliance = Appliance.create(CONF);
  await using server = await appliance.serve();
  const lock = `${appliance.storage}/.iscsi/serve.lock`;
  Deno.removeSync(lock);
  Deno.writeTextFileSync(lock, "4711\nhost other\nsince 2002-11-30T12:00:00.000Z\n");
  using file = Deno.openSync(lock, { write: true });
  file.lockSync(true);
  await server.waitForLog(
    `Lost the lock of "${appliance.storage}": its file was replaced, and process 4711 on host "other" has locked ` +
      "the new one; another server may write to its disks, so this one ends at once",
    20_000,
  );
  assertEquals((await server.stop()).code, 1);
});

testUnless(
  findHostObstacle(),
  "a host with another conf names the targets and options that differ from those of the host before",
  async () => {
    using appliance = Appliance.create();
    const { confPath, storage } = appliance;
    const secret = "a-secret-of-alpha";
    const conf = (size: string, own: string): string =>
      `user = bob\nsecret = ${own}\n[disk]\nsize = ${size}\nnetworks = 127.0.0.0/8\n[same]\nsize = 1MB\n` +
      "networks = 127.0.0.0/8\n";
    const drift = (text: string): string[] =>
      text.split("\n").filter((line) => line.includes("iff")).map((line) => line.replace(/^.*Diff/, "Diff"));
    const check = async (host: string): Promise<string[]> =>
      drift((await runIscsiOn(host, ["check", "--conf", confPath])).stderr);

    appliance.writeConf(conf("4MB", secret));
    assertEquals((await runIscsiOn("alpha", ["build", "--conf", confPath])).code, 0);
    assertEquals(await check("beta"), []);
    // A conf that is edited on one host only is the ordinary case.
    appliance.writeConf(conf("8MB", secret));
    assertEquals(await check("alpha"), []);
    assertEquals((await runIscsiOn("alpha", ["build", "--conf", confPath])).code, 0);
    await (await serveOn("alpha", appliance)).stop();

    const live = Deno.readTextFileSync(`${storage}/.iscsi/live.json`);
    assert(!live.includes(secret) && !live.includes("bob"), live);
    appliance.writeConf(conf("4MB", "another-secret-of-beta"));
    const expected = [
      "Different conf: [disk]: size of LUN 0 is 4 MB, there 8 MB",
      "Different conf: CHAP names or secrets differ",
    ];
    assertEquals(await check("beta"), expected);
    await using server = await serveOn("beta", appliance);
    await server.waitForLog("CHAP names or secrets differ");
    assertMatch(
      server.stderr,
      /This conf is not the one that host "alpha" made live at 2\d{3}-[^ ]*Z; make them/,
    );
    assertEquals(drift(server.stderr), expected);
    const { warnings } = JSON.parse((await runIscsi(["status", "--json", "--conf", confPath])).stdout);
    assertMatch(
      warnings.join("\n"),
      /^This conf is not the one that host "alpha" .*\(2 differences; see the log\)$/m,
    );
    assertEquals(await check("beta"), []);
    appliance.writeConf(conf("8MB", secret));
    assertEquals((await check("alpha")).length, 2);
  },
);

/** REPORT TARGET PORT GROUPS and PERSISTENT RESERVE IN (READ KEYS, READ RESERVATION, READ FULL STATUS). */
const PORT_GROUPS = Uint8Array.of(0xa3, 0x0a, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0);
const RESERVE_IN = [0, 1, 3].map((action) => Uint8Array.of(0x5e, action, 0, 0, 0, 0, 0, 0, 255, 0));

/** Reads everything by which an initiator recognises a target and its LUNs, as hexadecimal digits. */
async function readIdentity(initiator: Initiator): Promise<readonly string[]> {
  const answers: string[] = [];
  for (const lun of [0, 1]) {
    const read = async (cdb: Uint8Array, skip = 0): Promise<Uint8Array> => {
      const { data } = await initiator.command({ cdb, lun, read: 255 });
      answers.push(`LUN ${lun}, ${cdb.toHex()}: ${data.subarray(skip).toHex()}`);
      return data;
    };
    for (let attempt = 0; attempt < 3; attempt++) await initiator.command({ cdb: testUnitReady(), lun });
    await read(inquiry(255));
    const pages = (await read(inquiry(255, 0))).subarray(4);
    for (const page of pages) await read(inquiry(255, page));
    await read(PORT_GROUPS);
    await read(reportLuns(255));
    await read(readCapacity16(255));
    await read(modeSense10(0x3f, 255));
    // PRGENERATION counts from the start of a server.
    for (const cdb of RESERVE_IN) await read(cdb, 4);
  }
  return answers;
}

testUnless(
  findMissing(["ip"]) ?? findNamespaceObstacle() ?? findHostObstacle(),
  "a storage folder that moves to a host with other addresses, and a path of its own, has the same identities and " +
    "reservations, byte for byte",
  async () => {
    using appliance = Appliance.create();
    const { confPath, folder } = appliance;
    const serveAt = async (host: string, cards: TwoCards): Promise<ServerProcess> => {
      const wrapper = [...cards.wrapper, ...onHost(host)];
      return await ServerProcess.launchBelow(wrapper, ["serve", "--conf", confPath]).untilReady();
    };
    const identityAt = async ({ cables }: TwoCards, reserves: boolean): Promise<readonly string[]> => {
      await using initiator = await Initiator.connect(appliance.port, {}, cables[0].server);
      await initiator.login({ targetName: DISK });
      if (reserves) {
        await initiator.command({ cdb: testUnitReady(), lun: 1 });
        await reserveOut(initiator, 1, REGISTER, { newKey: "00000000000000a1", flags: APTPL });
        await reserveOut(initiator, 1, RESERVE, { key: "00000000000000a1", type: EXCLUSIVE_ACCESS });
      }
      return await readIdentity(initiator);
    };
    appliance.writeConf("[disk]\nsize = 4MB 8MB\n[other]\nsize = 1MB\n");
    assertEquals((await appliance.build()).code, 0);
    let before: readonly string[];
    {
      await using cards = await TwoCards.create();
      await using _server = await serveAt("alpha", cards);
      before = await identityAt(cards, true);
    }
    assertStringIncludes(before.join("\n"), "00000000000000a1");
    Deno.renameSync(appliance.storage, `${folder}/mounted`);
    const conf = Deno.readTextFileSync(confPath);
    // The second host has one address fewer, and its targets in another order.
    const [globals] = conf.replace(appliance.storage, `${folder}/mounted`).split("[disk]");
    Deno.writeTextFileSync(confPath, `${globals}[other]\nsize = 1MB\n[disk]\nsize = 4MB 8MB\n`);
    await using cards = await TwoCards.create();
    await cards.readdress(cards.cables[1], "delete");
    await using _server = await serveAt("beta", cards);
    assertEquals(await identityAt(cards, false), before);
  },
);
