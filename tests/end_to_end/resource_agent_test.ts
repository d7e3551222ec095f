/** The resource agent for Pacemaker, run as the cluster runs it, with real servers and with programs that misbehave. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { freeze, untilStuck } from "../support/frozen_disk.ts";
import { testUnitReady, write10 } from "../support/initiator_cdb.ts";
import { ScsiStatus } from "../support/initiator_sense.ts";
import { pattern } from "../support/content.ts";
import { isAlive } from "../support/process_state.ts";
import { testOnFileSystem } from "../support/small_file_system.ts";
import { findMissing, runTool, testWithTools } from "../support/tools.ts";
import { untilAsked } from "../support/until.ts";
import { AGENT, CONF, Ocf, Resource, STUBBORN, TARGET, TOOLS } from "./cluster_resource.ts";

testWithTools("ocf-tester accepts the agent", [...TOOLS, "ocf-tester", "xmllint"], async () => {
  await using resource = new Resource();
  assertEquals((await resource.appliance.build()).code, 0);
  const parameters = Object.entries(resource.env)
    .filter(([name]) => name.startsWith("OCF_RESKEY_"))
    .flatMap(([name, value]) => ["-o", `${name.replace("OCF_RESKEY_", "")}=${value}`]);
  const { HA_RSCTMP, OCF_ROOT } = resource.env;
  const env = { HA_RSCTMP: HA_RSCTMP!, OCF_ROOT: OCF_ROOT! };
  const result = await runTool("ocf-tester", ["-n", "disk", ...parameters, AGENT], { env });
  assertEquals(result.code, 0, `${result.stdout}${result.stderr}`);
  assertStringIncludes(result.stdout, `${AGENT} passed all tests`);
});

testWithTools("the agent starts, monitors and stops a server to which initiators log in", TOOLS, async () => {
  await using resource = new Resource();
  assertEquals([await resource.code("monitor"), await resource.code("stop")], [Ocf.notRunning, Ocf.success]);
  await resource.begin();
  await using initiator = await resource.appliance.login({ targetName: TARGET });
  await initiator.logout();
  const pid = await resource.pid();
  assertEquals([await resource.code("monitor"), await resource.code("status")], [Ocf.success, Ocf.success]);
  assertEquals([await resource.code("start"), await resource.pid()], [Ocf.success, pid]);
  assertEquals([await resource.code("stop"), isAlive(pid)], [Ocf.success, false]);
  assertEquals([await resource.code("monitor"), await resource.code("stop")], [Ocf.notRunning, Ocf.success]);
  assertEquals(await resource.code("dance"), Ocf.unimplemented);
  assertStringIncludes(Deno.readTextFileSync(join(resource.appliance.folder, "log")), "listening on");
});

testWithTools("the agent starts a server again whatever a killed one has left", TOOLS, async () => {
  await using resource = new Resource();
  await resource.begin();
  const pid = await resource.pid();
  Deno.kill(pid, "SIGKILL");
  assertEquals(await resource.code("monitor"), Ocf.notRunning);
  // Another process has the number by now.
  const stateFolder = join(resource.appliance.storage, ".iscsi");
  for (const path of [join(stateFolder, "serve.lock"), resource.lock]) {
    Deno.writeTextFileSync(path, `${Deno.pid}\n`);
  }
  assertEquals(Deno.lstatSync(join(stateFolder, "control")).isSocket, true);
  assertEquals(await resource.code("monitor"), Ocf.notRunning);
  assertEquals([await resource.code("start"), await resource.code("monitor")], [Ocf.success, Ocf.success]);
  assertEquals(await resource.pid() === pid, false);
  Deno.removeSync(resource.lock);
  assertEquals([await resource.code("monitor"), await resource.code("stop")], [Ocf.success, Ocf.success]);
  assertEquals(await resource.code("monitor"), Ocf.notRunning);
});

testWithTools("the agent calls a server that hangs failed, and ends it", TOOLS, async () => {
  await using resource = new Resource();
  await resource.begin();
  const pid = await resource.pid();
  Deno.kill(pid, "SIGSTOP");
  const { code, stderr } = await resource.run("monitor");
  assertEquals(code, Ocf.error);
  assertMatch(stderr, /ocf-exit-reason:The server does not answer: .*has not answered within 3 s/);
  assertEquals([await resource.code("stop"), isAlive(pid)], [Ocf.success, false]);
});

testOnFileSystem(
  "the agent calls a server failed whose disk hangs, and does not stop it falsely",
  "ext4",
  async ({ folder }) => {
    if (findMissing(TOOLS) !== undefined) return;
    await using resource = new Resource(
      `[disk]\nsize = 4MB\nfile = ${folder}/disk\nnetworks = 127.0.0.0/8\n`,
    );
    await resource.begin();
    const pid = await resource.pid();
    const initiator = await resource.appliance.login({ targetName: TARGET });
    await untilAsked(
      async () => (await initiator.command({ cdb: testUnitReady() })).status === ScsiStatus.good,
      "it has no unit attention",
    );
    {
      await using _frozen = await freeze(folder);
      const hanging = initiator.command({ cdb: write10(0, 16), write: pattern(16 * 512) }).catch(() => {});
      await untilStuck(pid);
      const monitored = await resource.run("monitor");
      assertEquals(monitored.code, Ocf.error, monitored.stderr);
      const stopped = await resource.run("stop");
      assertEquals(stopped.code, Ocf.error, stopped.stderr);
      assertStringIncludes(stopped.stderr, "cannot be killed, and may still write");
      // What is left of the process has no command line.
      const left = await resource.run("monitor");
      assertEquals(left.code, Ocf.error, left.stderr);
      await initiator.close();
      await hanging;
    }
    assertEquals([await resource.code("stop"), await resource.code("monitor")], [
      Ocf.success,
      Ocf.notRunning,
    ]);
    assertEquals(await resource.code("start"), Ocf.success);
  },
);

testWithTools("the agent kills a server that does not end, and its programs", TOOLS, async () => {
  await using resource = new Resource(CONF, { script: STUBBORN });
  assertEquals(await resource.code("start"), Ocf.success);
  const processes = [resource.numberIn("server"), resource.numberIn("helper")];
  assertEquals(processes.map(isAlive), [true, true]);
  assertEquals([await resource.code("stop"), processes.map(isAlive)], [Ocf.success, [false, false]]);
});

testWithTools(
  "the agent takes a program that a killed server has left for running, and kills it",
  TOOLS,
  async () => {
    await using resource = new Resource(CONF, { script: STUBBORN });
    assertEquals(await resource.code("start"), Ocf.success);
    const helper = resource.numberIn("helper");
    Deno.kill(resource.numberIn("server"), "SIGKILL");
    const { code, stderr } = await resource.run("monitor");
    assertEquals([code, isAlive(helper)], [Ocf.error, true]);
    assertStringIncludes(stderr, "The server has ended, but a program or a write of it has not");
    assertEquals([await resource.code("stop"), isAlive(helper)], [Ocf.success, false]);
    assertEquals(await resource.code("monitor"), Ocf.notRunning);
  },
);

Deno.test("a stop of the agent fails after 4.5 seconds at the latest, and kills before", () => {
  const text = Deno.readTextFileSync(AGENT);
  const [term, kill] = ["TERM_LIMIT", "KILL_LIMIT"].map((name) =>
    Number(new RegExp(`^${name}=(\\d+)$`, "m").exec(text)![1])
  );
  assertEquals([term! < kill!, kill! <= 450], [true, true]);
});

testWithTools("a start of the agent returns once the server answers, not before", TOOLS, async () => {
  const script = `case $1 in
    serve) sleep 1000 ;;
    status) echo "$*" >>asked; [ "$(wc -l <asked)" -ge 4 ] ;;
  esac`;
  await using resource = new Resource(CONF, { script });
  assertEquals(await resource.code("start"), Ocf.success);
  const asked = Deno.readTextFileSync(join(resource.appliance.folder, "asked")).trimEnd().split("\n");
  assertEquals(new Set(asked), new Set([`status --wait 1 --probe --conf ${resource.appliance.confPath}`]));
  assertEquals(asked.length, 4);
});

testWithTools("the agent has the exit codes of the OCF for what cannot start", TOOLS, async () => {
  await using resource = new Resource();
  const unbuilt = await resource.run("start");
  assertEquals([unbuilt.code, unbuilt.stderr], [
    Ocf.error,
    "ocf-exit-reason:The server has not started; see its log\n",
  ]);
  assertEquals(await resource.code("validate-all"), Ocf.success);
  resource.appliance.writeConf("[disk]\nsize = 16\n[disk]\n");
  const wrong = await resource.run("start");
  assertEquals([wrong.code, await resource.code("validate-all")], [Ocf.notConfigured, Ocf.notConfigured]);
  assertMatch(wrong.stderr, /^ocf-exit-reason:conf ".*" has errors: /);
  // The head of a program for another kind of machine.
  const foreign = join(resource.appliance.folder, "foreign");
  Deno.writeTextFileSync(foreign, "\x7fELF\0", { mode: 0o755 });
  const loaderless = join(resource.appliance.folder, "loaderless");
  Deno.writeTextFileSync(loaderless, "#!/nowhere/loader\n", { mode: 0o755 });
  for (
    const [name, value, code] of [
      ["binary", foreign, Ocf.notInstalled],
      ["binary", loaderless, Ocf.notInstalled],
      ["conf", "/nowhere/iscsi.conf", Ocf.notInstalled],
      ["binary", "/nowhere/iscsi", Ocf.notInstalled],
      ["conf", "iscsi.conf", Ocf.notConfigured],
    ] as const
  ) {
    const env = { [`OCF_RESKEY_${name}`]: value };
    assertEquals([await resource.code("start", env), await resource.code("validate-all", env)], [code, code]);
    // The cluster also asks a node without the storage, or without the program, what runs there, and stops it.
    assertEquals([await resource.code("monitor", env), await resource.code("stop", env)], [
      Ocf.notRunning,
      Ocf.success,
    ]);
  }
});
