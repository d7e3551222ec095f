/** Two servers, each with a storage folder of its own, whose confs name the same backing file. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { testUnitReady } from "../support/initiator_cdb.ts";
import { ScsiStatus } from "../support/initiator_sense.ts";
import { ServerProcess } from "../support/server_process.ts";
import { testWithTools } from "../support/tools.ts";
import { Appliance } from "./appliance.ts";

const OWN_TARGET = "iqn.2002-08.info.netmanager:own";
const INITIATOR = "iqn.2000-01.test:a";
const OWN = "[own]\nsize = 1MB\nnetworks = 127.0.0.0/8\n";

function withShared(path: string, ...lines: readonly string[]): string {
  return [OWN, "[shared]", "size = 1MB", "networks = 127.0.0.0/8", `file = ${path}`, ...lines, ""].join("\n");
}

/** Two appliances, and the path of a file that both may name. */
function makePair(): { first: Appliance; second: Appliance; path: string } & Disposable {
  const [first, second] = [Appliance.create(OWN), Appliance.create(OWN)];
  const dispose = (): void => [first, second].forEach((appliance) => appliance[Symbol.dispose]());
  return { first, second, path: `${first.folder}/disk`, [Symbol.dispose]: dispose };
}

testWithTools(
  "a file that another server has is not served, nor made longer, until that ends",
  ["lslocks"],
  async () => {
    using pair = makePair();
    const { first, second, path } = pair;
    for (const appliance of [first, second]) {
      appliance.writeConf(withShared(path));
      assertEquals((await appliance.build()).code, 0);
    }
    await using server = await first.serve();
    await using other = await ServerProcess.start(second.confPath);
    await other.waitForLog("LUN 0 of [shared] is not served: ");
    const owner = new RegExp(`"${path}": process ${server.pid} \\(\\S+\\) has locked it`);
    assertMatch(other.stderr, owner);
    const initiator = await second.login({ targetName: OWN_TARGET, initiatorName: INITIATOR });
    await initiator.command({ cdb: testUnitReady() });
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    await initiator.close();
    second.writeConf(withShared(path).replace(/1MB(?=[^]*file)/g, "2MB"));
    const built = await second.build();
    assertEquals(built.code, 1);
    assertMatch(built.stderr, owner);
    assertEquals(Deno.statSync(path).size, 1024 ** 2);
    second.writeConf(withShared(path));
    // Its own server has locked it, too.
    first.writeConf(withShared(path).replace("size = 1MB", "size = 2MB"));
    const grown = await first.build();
    assertEquals(grown.code, 0, grown.stderr);
    await server.stop();
    await other.waitForLog("LUN 0 of [shared] is served now", 20_000);
  },
);

testWithTools("a file that both servers only read is served by both", ["lslocks"], async () => {
  using pair = makePair();
  const { first, second, path } = pair;
  for (const appliance of [first, second]) appliance.writeConf(withShared(path, "readonly = y"));
  await using _first = await first.serve();
  await using _second = await second.serve();
  first.writeConf(withShared(path));
  const reloaded = await first.build();
  assertEquals(reloaded.code, 1);
  assertStringIncludes(reloaded.stderr, `Cannot serve "${path}": `);
});

testWithTools("a file changes servers by reloads, when it is closed", ["lslocks"], async () => {
  using pair = makePair();
  const { first, second, path } = pair;
  first.writeConf(withShared(path));
  await using server = await first.serve();
  const initiator = await first.login({
    targetName: "iqn.2002-08.info.netmanager:shared",
    initiatorName: INITIATOR,
  });
  await initiator.command({ cdb: testUnitReady() });
  await using _other = await second.serve();
  second.writeConf(withShared(path));
  const early = await second.build();
  assertEquals(early.code, 1);
  assertMatch(early.stderr, new RegExp(`Cannot serve "${path}": process ${server.pid} `));
  first.writeConf(OWN);
  assertEquals((await first.build("--force")).code, 0);
  // It is closed when the session has ended that uses it.
  assertEquals((await second.build()).code, 1);
  await initiator.logout();
  await initiator.close();
  let code = 1;
  for (let attempt = 0; attempt < 100 && code !== 0; attempt++) ({ code } = await second.build());
  assertEquals(code, 0);
});
