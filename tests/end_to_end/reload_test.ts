/** Changes of the conf under a running server, and their effects on its initiators. */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { DiligentInitiator } from "../support/diligent_initiator.ts";
import { Initiator } from "../support/initiator.ts";
import { testUnitReady } from "../support/initiator_cdb.ts";
import { ScsiStatus } from "../support/initiator_sense.ts";
import { untilAsked } from "../support/until.ts";
import { LoginRefused } from "../support/initiator_login.ts";
import { runIscsi, ServerProcess } from "../support/server_process.ts";
import { runTool, runToolOk, testWithTools } from "../support/tools.ts";
import { Appliance, FIRST_INITIATOR, XENSERVER } from "./appliance.ts";
import { liveSession } from "./live_session.ts";

const NODE = "iqn.2002-08.info.netmanager";
const CONF = "networks = 127.0.0.0/8\n[xenserver]\nsize = 4MB\n";

Deno.test("eight initiators at work notice of five changes just what concerns them", async () => {
  await liveSession(() => {});
});

/** Returns an initiator at work, by the number of its port. */
function work(appliance: Appliance, port = appliance.port, number = 0): Promise<DiligentInitiator> {
  return DiligentInitiator.start({
    port,
    targetName: XENSERVER,
    initiatorName: FIRST_INITIATOR,
    isid: Uint8Array.of(0x80, 0, 0, 0, 0, number),
    lba: number * 1024,
  });
}

testWithTools("what a build makes live is there for libiscsi and QEMU at once", [
  "iscsi-ls",
  "qemu-io",
  "qemu-img",
  "block-iscsi.so",
], async () => {
  using appliance = Appliance.create(CONF);
  await using _server = await appliance.serve();
  appliance.writeConf(`${CONF}[late]\nsize = 8MB\n`);
  assertEquals((await appliance.build()).code, 0);
  assertStringIncludes(await runToolOk("iscsi-ls", [`${appliance.portalUrl}/`]), `${NODE}:late`);
  const url = appliance.lunUrl(0, `${NODE}:late`);
  const commands = [
    "-c",
    "write -P 7 7M 1M",
    "-c",
    "read -P 7 7M 1M",
    "-c",
    "discard 0 8M",
    "-c",
    "read -P 0 7M 1M",
  ];
  await runToolOk("qemu-io", ["-f", "raw", ...commands, url]);
  appliance.writeConf(`${CONF}[late]\nsize = 16MB\nreadonly = y\n`);
  assertEquals((await appliance.build()).code, 0);
  assertStringIncludes(await runToolOk("qemu-img", ["info", url]), "16 MiB");
});

testWithTools("who logs in to a target that was removed learns so, until one of its name comes back", [
  "iscsi-inq",
], async () => {
  using appliance = Appliance.create(
    `${CONF}[gone]\nsize = 4MB\n[hidden]\nsize = 4MB\ninitiators = iqn.2000-01.a:b\n`,
  );
  await using server = await appliance.serve();
  const user = await DiligentInitiator.start({
    port: appliance.port,
    targetName: `${NODE}:gone`,
    initiatorName: FIRST_INITIATOR,
    isid: Uint8Array.of(0x80, 0, 0, 0, 0, 1),
    lba: 0,
  });
  appliance.writeConf(CONF);
  assertEquals((await appliance.build()).code, 0);
  await user.ended;
  assertEquals(user.diary, ["asked to log out", "login refused: 204"]);
  const inquire = async (name: string): Promise<string> => {
    const { stdout, stderr } = await runTool("iscsi-inq", [
      "-i",
      FIRST_INITIATOR,
      appliance.lunUrl(0, `${NODE}:${name}`),
    ]);
    return stdout + stderr;
  };
  assertStringIncludes(await inquire("gone"), "Target removed(516)");
  assertStringIncludes(await inquire("hidden"), "Target not found(515)");
  assertStringIncludes(await inquire("never"), "Target not found(515)");
  await server.waitForLog(`target "${NODE}:gone" has been removed`);
  appliance.writeConf(`${CONF}[gone]\nsize = 4MB\n`);
  assertEquals((await appliance.build()).code, 0);
  assertStringIncludes(await inquire("gone"), "ISCSI DISK");
});

Deno.test("a conf with errors and one that was not built change nothing, and the caller hears why", async () => {
  using appliance = Appliance.create(CONF);
  await using server = await appliance.serve();
  const calm = await work(appliance);
  appliance.writeConf(`${CONF}[late]\nsize = 4MB\n`);
  const unbuilt = await runIscsi(["reload", "--conf", appliance.confPath]);
  assertEquals(unbuilt.code, 1);
  assertMatch(
    unbuilt.stderr,
    /keeps its configuration:\n.*iscsi.conf:7: Cannot serve .*late".*run "iscsi build --conf [^"]+"/,
  );
  await server.waitForLog("Conf rejected, keeping the old one");
  appliance.writeConf(`${CONF}size = 1MB\n`);
  assertEquals((await runIscsi(["reload", "--conf", appliance.confPath])).code, 3);
  await calm.untilRounds(3);
  await calm.stop();
  assertEquals(calm.diary, []);
});

Deno.test("a server takes over no other conf than its own", async () => {
  using appliance = Appliance.create(CONF);
  await using _server = await appliance.serve();
  const other = `${appliance.folder}/other.conf`;
  Deno.copyFileSync(appliance.confPath, other);
  const { code, stderr } = await runIscsi(["build", "--conf", other]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, `The running server reads "${appliance.confPath}", not "${other}"`);
  const link = `${appliance.folder}/link.conf`;
  Deno.symlinkSync(appliance.confPath, link);
  assertEquals((await runIscsi(["build", "--conf", link])).code, 0);
});

Deno.test("builds at the same time come one after the other, and the last conf is what is served", async () => {
  using appliance = Appliance.create(CONF);
  await using server = await appliance.serve();
  const calm = await work(appliance);
  appliance.writeConf(`${CONF}[late]\nsize = 4MB\n`);
  const results = await Promise.all(Array.from({ length: 4 }, async (_, index) => {
    const result = await runIscsi([index % 2 === 0 ? "build" : "reload", "--conf", appliance.confPath]);
    Deno.kill(server.pid, "SIGHUP");
    return result;
  }));
  // A build or a reload that meets another one fails.
  assert(results.some(({ code }) => code === 0), results[0]!.stderr);
  const added = server.stderr.split("\n").filter((line) => line.includes("add target [late]"));
  assertEquals(added.length, 1, server.stderr);
  await using late = await Initiator.connect(appliance.port);
  await late.login({ targetName: `${NODE}:late` });
  await calm.untilRounds(3);
  await calm.stop();
  assertEquals(calm.diary, []);
});

Deno.test("another port is served by another worker, and initiators are sent there from the old one", async () => {
  using appliance = Appliance.create(CONF);
  await using server = await appliance.serve();
  const moved = await work(appliance);
  const port = appliance.port + 1;
  Deno.writeTextFileSync(appliance.confPath, `storage = ${appliance.storage}\nport = ${port}\n${CONF}`);
  assertEquals((await appliance.build()).code, 0);
  await server.waitForLine(`listening on 127.0.0.1:${port}`);
  await moved.ended;
  assertEquals(moved.diary, ["asked to log out", "login refused: 101"]);
  await using first = await Initiator.connect(port);
  await first.login({ targetName: XENSERVER });
  await untilAsked(async () => {
    const { status } = await first.command({ cdb: testUnitReady() });
    return status === ScsiStatus.good;
  }, "the LUN has arrived");
  const there = await work(appliance, port, 1);
  await there.untilRounds(3);
  await there.stop();
  await using late = await Initiator.connect(appliance.port);
  const refusal = await assertRejects(() => late.login({ targetName: XENSERVER }), LoginRefused);
  assertEquals(refusal.status, 0x0101);
  assertEquals(server.stdout.split("\n").filter((line) => line === "ready").length, 2, server.stdout);
});

Deno.test("another storage folder takes --force while there are sessions, and the locks move with it", async () => {
  using appliance = Appliance.create(CONF);
  await using server = await appliance.serve();
  const calm = await work(appliance);
  const storage = `${appliance.folder}/moved`;
  Deno.writeTextFileSync(appliance.confPath, `storage = ${storage}\nport = ${appliance.port}\n${CONF}`);
  assertEquals((await appliance.build()).code, 0);
  const reload = (...args: readonly string[]): ReturnType<typeof runIscsi> =>
    runIscsi(["reload", "--conf", appliance.confPath, ...args]);
  const unknown = await reload();
  assertEquals(unknown.code, 1);
  assertStringIncludes(unknown.stderr, `No server is running on "${storage}"`);
  const refused = await reload("--storage", appliance.storage);
  assertEquals(refused.code, 1);
  assertStringIncludes(refused.stderr, "without ending the only session; use --force");
  await calm.untilRounds(3);
  assertEquals(calm.diary, []);
  const done = await reload("--storage", appliance.storage, "--force");
  assertEquals(done.code, 0, done.stderr);
  await calm.ended;
  assertEquals(calm.diary, ["cut off"]);
  const there = await work(appliance);
  await there.untilRounds(3);
  await there.stop();
  assertEquals((await reload()).stdout, `Nothing changed in the running server (pid ${server.pid})\n`);
  // The old folder is free for another server.
  appliance.writeConf(CONF.replace("127.0.0.0/8", "127.0.0.2"));
  await using second = await ServerProcess.start(appliance.confPath);
  assertEquals((await second.stop()).code, 0);
});

Deno.test("whenever a server is killed in the middle of changes, the next one starts and has every byte", async () => {
  using appliance = Appliance.create(CONF);
  const elsewhere = `${appliance.folder}/elsewhere`;
  Deno.mkdirSync(elsewhere);
  const confs = [
    CONF,
    `${CONF}[late]\nsize = 4MB\nfile = ${elsewhere}/late\n`,
    `${CONF.replace("4MB", "4MB 4MB")}readonly = n\n[z]\nsize = 4MB\nfile = ${elsewhere}/late\n`,
  ];
  for (let round = 0; round < 3; round++) {
    const server = await appliance.serve();
    const calm = await work(appliance);
    const builds = confs.map(async (conf, index) => {
      await new Promise((resolve) => setTimeout(resolve, index * 40));
      appliance.writeConf(conf);
      await appliance.build();
    });
    await new Promise((resolve) => setTimeout(resolve, 150 + round * 200));
    await server.kill();
    await calm.stop();
    await Promise.all(builds);
  }
  await using _server = await appliance.serve();
  const calm = await work(appliance);
  await calm.untilRounds(20);
  await calm.stop();
  assertEquals(calm.diary, []);
});

Deno.test("a server stays ready when it cannot listen at the port of a new target", async () => {
  using appliance = Appliance.create(CONF);
  await using _server = await appliance.serve();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  appliance.writeConf(`${CONF}[late]\nsize = 4MB\nport = ${port}\n`);
  const { code, stderr } = await appliance.build();
  assertEquals(code, 1);
  assertStringIncludes(stderr, `Cannot listen at 127.0.0.1:${port}`);
  const status = await runIscsi(["status", "--wait", "1", "--conf", appliance.confPath]);
  assertEquals([status.code, status.stderr], [0, ""]);
});
