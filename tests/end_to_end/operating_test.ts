/** A day of the person who runs the program. */
import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { runIscsi, ServerProcess } from "../support/server_process.ts";
import { Appliance } from "./appliance.ts";

const DISK = "[disk]\nsize=1MB\nnetworks=127.0.0.0/8\n";
const OLD = "[old]\nsize=1MB\nnetworks=127.0.0.0/8\n";

Deno.test("iscsi status --wait waits for a server that starts meanwhile", async () => {
  using appliance = Appliance.create(DISK);
  assertEquals((await appliance.build()).code, 0);
  const waiting = runIscsi(["status", "--conf", appliance.confPath, "--wait", "60"]);
  await using server = ServerProcess.launch(appliance.confPath);
  const { code, stdout, stderr } = await waiting;
  assertEquals([code, stdout, stderr], [0, "", ""]);
  assertStringIncludes(server.stdout, "listening on");
  const target = await runIscsi(["status", "disk", "--conf", appliance.confPath, "--wait", "60"]);
  assertEquals([target.code, target.stderr], [0, ""]);
});

Deno.test("iscsi forget leaves a file alone while a server serves it, and deletes it after a reload", async () => {
  using appliance = Appliance.create(DISK + OLD);
  await using _server = await appliance.serve();
  appliance.writeConf(DISK);
  const forget = (): ReturnType<typeof runIscsi> =>
    runIscsi(["forget", "old", "--yes", "--conf", appliance.confPath]);
  const early = await forget();
  assertEquals(early.code, 1);
  assertEquals(
    early.stderr,
    `iscsi: Cannot forget "${appliance.storage}/old": the running server still serves it; run "iscsi reload" first\n` +
      "iscsi: Nothing was deleted\n",
  );
  assertEquals((await appliance.build()).code, 0);
  const { code, stdout, stderr } = await forget();
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, `Deleted ${appliance.storage}/old\n`);
  await assertRejects(() => Deno.stat(`${appliance.storage}/old`), Deno.errors.NotFound);
  // A target of that name is another disk now.
  appliance.writeConf(DISK + OLD);
  assertMatch((await appliance.build()).stdout, /^create .*\/old$/m);
});

Deno.test("lines of the log have a time where standard error is a pipe, and --json makes them JSON", async () => {
  using appliance = Appliance.create(DISK);
  assertEquals((await appliance.build()).code, 0);
  {
    await using server = await ServerProcess.start(appliance.confPath);
    appliance.writeConf(DISK + OLD);
    server.signal("SIGHUP");
    await server.waitForLog("Conf rejected");
    const lines = server.stderr.trimEnd().split("\n");
    for (const line of lines) assertMatch(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z iscsi: /);
  }
  appliance.writeConf(DISK);
  const server = ServerProcess.launchBelow([], ["serve", "--json", "--conf", appliance.confPath]);
  await server.waitForLine('{"event":"ready"}', 20_000);
  server.signal("SIGHUP");
  await server.waitForLog('"message":"Conf reloaded');
  assertEquals((await server.stop()).code, 0);
  for (const line of [...server.stdout.trimEnd().split("\n"), ...server.stderr.trimEnd().split("\n")]) {
    assertEquals(typeof JSON.parse(line), "object");
  }
});

Deno.test("the demonstration ends on SIGHUP without a terminal, and leaves nothing behind", async () => {
  await using server = ServerProcess.launchBelow([], ["demo", "--json"]);
  await server.waitForLine('"iscsiName":"iqn.2002-08.info.netmanager:xenserver"}', 20_000);
  const { conf } = JSON.parse(server.stdout.split("\n").find((line) => line.includes('"ready"'))!);
  assertEquals(server.stderr, "", "no warning");
  assertEquals((await server.stop("SIGHUP")).code, 0);
  await assertRejects(() => Deno.stat(conf), Deno.errors.NotFound);
});
