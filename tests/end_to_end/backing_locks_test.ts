/** Two servers, each with a storage folder of its own, whose confs name the same backing file. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { testUnitReady } from "../support/initiator_cdb.ts";
import { runIscsi } from "../support/server_process.ts";
import { testWithTools, type ToolResult } from "../support/tools.ts";
import { Appliance } from "./appliance.ts";

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

function serveToTheEnd(appliance: Appliance): Promise<ToolResult> {
  return runIscsi(["serve", "--conf", appliance.confPath]);
}

testWithTools("a file that another server has is not served, nor made longer", ["lslocks"], async () => {
  using pair = makePair();
  const { first, second, path } = pair;
  for (const appliance of [first, second]) {
    appliance.writeConf(withShared(path));
    assertEquals((await appliance.build()).code, 0);
  }
  await using server = await first.serve();
  const refused = await serveToTheEnd(second);
  assertEquals(refused.code, 1);
  const owner = new RegExp(`"${path}": process ${server.pid} \\(\\S+\\) has locked it`);
  assertMatch(refused.stderr, owner);
  second.writeConf(withShared(path).replace(/1MB(?=[^]*file)/g, "2MB"));
  const built = await second.build();
  assertEquals(built.code, 1);
  assertMatch(built.stderr, owner);
  assertEquals(Deno.statSync(path).size, 1024 ** 2);
  // Its own server has locked it, too.
  first.writeConf(withShared(path).replace(/1MB(?=[^]*file)/g, "2MB"));
  const grown = await first.build();
  assertEquals(grown.code, 0, grown.stderr);
  assertEquals(Deno.statSync(path).size, 2 * 1024 ** 2);
});

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
    initiatorName: "iqn.2000-01.test:a",
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
