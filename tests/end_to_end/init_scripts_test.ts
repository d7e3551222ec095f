/** The Build Script and the scripts of SysV and OpenRC, run with a real server. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { endAndWait } from "../support/process_state.ts";
import { ROOT, writeProgramScript } from "../support/server_process.ts";
import { runTool, testWithTools, type ToolResult } from "../support/tools.ts";
import { Appliance } from "./appliance.ts";

const CONF = "[disk]\nsize = 16MB\nnetworks = 127.0.0.0/8\n";

/** Exit codes of the Linux Standard Base. */
const LSB = { done: 0, wrongUsage: 2, notInstalled: 5, notConfigured: 6, notRunning: 7 } as const;
const LSB_STATUS = { running: 0, dead: 1, stopped: 3 } as const;

/** A box with the SysV script, which runs the program under test. */
class Box {
  readonly appliance = Appliance.create(CONF);
  readonly program = join(this.appliance.folder, "iscsi");
  readonly pidFile = join(this.appliance.folder, "pid");
  readonly log = join(this.appliance.folder, "log");
  readonly #defaults = join(this.appliance.folder, "default");

  constructor() {
    writeProgramScript(this.program);
    this.configure();
  }

  /** Writes the settings of the script. */
  configure(settings: Readonly<Record<string, string>> = {}): void {
    const all = {
      PROGRAM: this.program,
      CONF: this.appliance.confPath,
      PIDFILE: this.pidFile,
      LOG: this.log,
      WAIT: "20",
      ...settings,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}='${value}'\n`);
    Deno.writeTextFileSync(this.#defaults, lines.join(""));
  }

  run(...args: readonly string[]): Promise<ToolResult> {
    const env = { ISCSI_DEFAULTS: this.#defaults };
    return runTool("dash", [join(ROOT, "dist/init/sysv"), ...args], { env });
  }

  async code(...args: readonly string[]): Promise<number> {
    return (await this.run(...args)).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run("stop");
    this.appliance[Symbol.dispose]();
  }
}

testWithTools(
  "the SysV script starts, reports, reloads and stops the server",
  ["dash", "flock"],
  async () => {
    await using box = new Box();
    const { appliance } = box;
    assertEquals((await appliance.build()).code, 0);
    assertEquals([await box.code("status"), await box.code("reload")], [LSB_STATUS.stopped, LSB.notRunning]);
    assertEquals(await box.code("stop"), LSB.done);
    assertEquals(await box.code("try-restart"), LSB.done);
    assertEquals(await box.code("status"), LSB_STATUS.stopped);

    assertEquals(await box.run("start"), { code: LSB.done, stdout: "Starting iSCSI target\n", stderr: "" });
    const pid = Deno.readTextFileSync(box.pidFile).trim();
    assertStringIncludes((await box.run("status")).stdout, `pid ${pid}`);
    await using initiator = await appliance.login({ targetName: "iqn.2002-08.info.netmanager:disk" });
    await initiator.logout();
    assertEquals(await box.code("start"), LSB.done);
    assertEquals(Deno.readTextFileSync(box.pidFile).trim(), pid);

    appliance.writeConf(`${CONF}comment = reloaded\n`);
    assertMatch((await box.run("reload")).stdout, /comment/);
    assertEquals(await box.code("restart"), LSB.done);
    const next = Deno.readTextFileSync(box.pidFile).trim();
    assertEquals([next === pid, await box.code("status")], [false, LSB_STATUS.running]);

    Deno.kill(Number(next), "SIGKILL");
    while (await box.code("status") === LSB_STATUS.running);
    assertEquals(await box.code("status"), LSB_STATUS.dead);
    assertEquals([await box.code("start"), await box.code("stop")], [LSB.done, LSB.done]);
    assertEquals(await box.code("status"), LSB_STATUS.stopped);
    assertStringIncludes(Deno.readTextFileSync(box.log), "listening on");
  },
);

testWithTools("the SysV script has the exit codes of the LSB for what cannot start", ["dash"], async () => {
  await using box = new Box();
  assertEquals(await box.code("dance"), LSB.wrongUsage);
  assertEquals(await box.code(), LSB.wrongUsage);
  // Nothing was built: the server ends at once, and the script does not wait for it.
  const { code, stderr } = await box.run("start");
  assertEquals([code, stderr], [1, "The server has not started; see its log\n"]);
  assertStringIncludes(Deno.readTextFileSync(box.log), "iscsi build");
  box.appliance.writeConf("[disk]\nsize = 16\n[disk]\n");
  assertEquals(await box.code("start"), LSB.notConfigured);
  box.configure({ CONF: "/nowhere/iscsi.conf" });
  assertEquals(await box.code("start"), LSB.notConfigured);
  box.configure({ PROGRAM: "/nowhere/iscsi" });
  assertEquals(await box.code("start"), LSB.notInstalled);
});

testWithTools(
  "the SysV script takes no other process with the number in its file for the server",
  ["dash"],
  async () => {
    await using box = new Box();
    Deno.writeTextFileSync(box.pidFile, `${Deno.pid}\n`);
    assertEquals(await box.code("status"), LSB_STATUS.dead);
    assertEquals([await box.code("stop"), await box.code("status")], [LSB.done, LSB_STATUS.stopped]);
  },
);

testWithTools("the Build Script builds with an absolute path, and passes its arguments and exit code on", [
  "dash",
], async () => {
  using appliance = Appliance.create(CONF);
  const text = Deno.readTextFileSync(join(ROOT, "dist/libexec/iscsi"));
  const program = join(appliance.folder, "iscsi");
  writeProgramScript(program);
  assertMatch(text, /^exec \/usr\/local\/sbin\/iscsi build "\$@"$/m);
  const script = join(appliance.folder, "script");
  Deno.writeTextFileSync(script, text.replace("/usr/local/sbin/iscsi", program));
  const run = (...options: readonly string[]): Promise<ToolResult> => runTool("dash", [script, ...options]);
  assertEquals((await run("--conf", appliance.confPath)).code, 0);
  assertEquals(Deno.statSync(join(appliance.storage, "disk")).size, 16 * 1024 ** 2);
  assertEquals((await run("--conf", "/nowhere")).code, 1);
});

/** A stand-in for openrc-run: sources the script and runs one of its functions, as OpenRC does around the daemon. */
const OPENRC = `ebegin() { echo "$@"; }
eend() { return "$1"; }
ewarn() { echo "warning: $*"; }
need() { echo "need $*"; }
use() { :; }
after() { :; }
RC_SVCNAME=iscsi program=$2 conf=$3 wait=0
. "$1"
case $4 in
    start) start_pre && { setsid "$command" $command_args </dev/null >"$5" 2>&1 & } && wait=20 && start_post ;;
    stop) kill -TERM "$5" ;;
    *) "$4" ;;
esac`;

testWithTools("the functions of the OpenRC script start and reload the server", ["dash"], async () => {
  await using box = new Box();
  const run = (name: string, conf = box.appliance.confPath): Promise<ToolResult> => {
    const script = join(ROOT, "dist/init/openrc");
    return runTool("dash", ["-c", OPENRC, "sh", script, box.program, conf, name, box.log]);
  };
  assertEquals((await run("depend")).stdout, "need net localmount\n");
  assertStringIncludes((await run("start_post")).stdout, "warning: The server still waits");
  assertEquals((await box.appliance.build()).code, 0);
  assertEquals((await run("start")).code, 0);
  try {
    box.appliance.writeConf(`${CONF}comment = reloaded\n`);
    const { code, stdout } = await run("reload");
    assertEquals(code, 0);
    assertMatch(stdout, /^Reloading the conf[^]*comment/);
    box.appliance.writeConf("[disk]\nsize = 16\n[disk]\n");
    assertEquals((await run("start_pre")).code, 1);
  } finally {
    const status = await runTool(box.program, ["status", "--json", "--storage", box.appliance.storage]);
    await endAndWait(JSON.parse(status.stdout).server.pid);
  }
});

testWithTools("shellcheck accepts the scripts", ["shellcheck"], async () => {
  for (const name of ["libexec/iscsi", "init/sysv", "init/openrc", "ocf/iscsi"]) {
    const { code, stdout } = await runTool("shellcheck", ["-s", "sh", join(ROOT, "dist", name)]);
    assertEquals([code, stdout], [0, ""], name);
  }
});
