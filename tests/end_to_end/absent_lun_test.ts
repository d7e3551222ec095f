/** LUNs that cannot be opened, on a server that serves the others. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Initiator } from "../support/initiator.ts";
import { read10, testUnitReady } from "../support/initiator_cdb.ts";
import { ScsiStatus } from "../support/initiator_sense.ts";
import { runIscsi, ServerProcess } from "../support/server_process.ts";
import { Appliance } from "./appliance.ts";

const TARGETS = ["good", "bad"] as const;
const CONF = TARGETS.map((name) => `[${name}]\nsize = 16MB\nnetworks = 127.0.0.0/8\n`).join("");

/** A target that is in the conf later than it was built for. */
const LATE = "[late]\nsize = 1MB\nnetworks = 127.0.0.0/8\n";

/** A time longer than the interval at which a server checks again. */
const LOOK_MS = 15_000;

async function logIn(appliance: Appliance, target: string): Promise<Initiator> {
  const initiator = await appliance.login({ targetName: `iqn.2002-08.info.netmanager:${target}` });
  await initiator.command({ cdb: testUnitReady() });
  return initiator;
}

/** Returns the outcome of a READ: `good`, or its sense key and additional sense code. */
async function read(initiator: Initiator): Promise<string> {
  const { status, sense } = await initiator.command({ cdb: read10(0, 1), read: 512 });
  return status === ScsiStatus.good ? "good" : `${sense?.key.toString(16)}/${sense?.code.toString(16)}`;
}

async function problemsOf(appliance: Appliance): Promise<(string | null)[]> {
  const { stdout } = await runIscsi(["status", "--conf", appliance.confPath, "--json"]);
  const { targets } = JSON.parse(stdout) as {
    readonly targets: readonly { readonly logicalUnits: readonly { readonly problem: string | null }[] }[];
  };
  return targets.flatMap(({ logicalUnits }) => logicalUnits.map(({ problem }) => problem));
}

Deno.test("a LUN whose file is missing is served when the file is there, also after kill -9", async () => {
  using appliance = Appliance.create(CONF);
  assertEquals((await appliance.build()).code, 0);
  const [file, elsewhere] = [`${appliance.storage}/bad`, `${appliance.folder}/elsewhere`];
  Deno.renameSync(file, elsewhere);
  {
    const killed = await ServerProcess.start(appliance.confPath);
    await killed.kill();
  }
  await using server = await ServerProcess.start(appliance.confPath);
  await server.waitForLog("LUN 0 of [bad] is not served: ");
  assertStringIncludes(server.stderr, `"${file}"`);
  const [good, bad] = await problemsOf(appliance);
  assertEquals(good, null);
  assertStringIncludes(bad!, `"${file}"`);
  await using first = await logIn(appliance, "good");
  await using second = await logIn(appliance, "bad");
  assertEquals([await read(first), await read(second)], ["good", "2/403"]);
  Deno.renameSync(elsewhere, file);
  await server.waitForLog("LUN 0 of [bad] is served now", LOOK_MS);
  assertEquals([await read(second), await read(second)], ["6/2800", "good"]);
  assertEquals(await problemsOf(appliance), [null, null]);
  assertEquals((await server.stop()).code, 0);
});

Deno.test("a LUN that cannot be served keeps no conf from being taken over; one not built is left out", async () => {
  using appliance = Appliance.create(CONF);
  assertEquals((await appliance.build()).code, 0);
  Deno.truncateSync(`${appliance.storage}/bad`, 512);
  appliance.writeConf(`${CONF}${LATE}`);
  await using server = await ServerProcess.start(appliance.confPath);
  await server.waitForLog("LUN 0 of [late] is not served: ");
  assertEquals((await problemsOf(appliance)).map((problem) => problem !== null), [false, true, true]);
  await using initiator = await logIn(appliance, "late");
  assertEquals(await read(initiator), "5/2500");
  appliance.writeConf(`${CONF.replace("[good]\n", "[good]\ncomment = Another name\n")}${LATE}`);
  const { code, stderr } = await runIscsi(["reload", "--conf", appliance.confPath]);
  assertEquals(code, 0, stderr);
  // What is new must be there, as always.
  appliance.writeConf(`${CONF}${LATE}[later]\nsize = 1MB\nnetworks = 127.0.0.0/8\n`);
  const refused = await runIscsi(["reload", "--conf", appliance.confPath]);
  assert(refused.code !== 0);
  assertStringIncludes(refused.stderr, `"${appliance.storage}/later"`);
  // build does not go on with a disk that has lost its end: its file is put back.
  assertEquals((await appliance.build()).code, 1);
  Deno.truncateSync(`${appliance.storage}/bad`, 16 * 1024 ** 2);
  const built = await appliance.build();
  assertEquals(built.code, 0, built.stderr);
  await server.waitForLog("LUN 0 of [late] is served now");
  assertEquals(await problemsOf(appliance), [null, null, null, null]);
});
