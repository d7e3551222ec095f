/** The program with few rights: an empty environment, one storage folder, and what its systemd unit leaves. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { limitRights, readScope, type Scope } from "../../dist/compile_scope.ts";
import { permissionFlags } from "../../dist/compile.ts";
import { systemdUnit } from "../../lib/cli/systemd_unit.ts";
import { pattern } from "../support/content.ts";
import type { Initiator } from "../support/initiator.ts";
import { testUnitReady, write10 } from "../support/initiator_cdb.ts";
import { ScsiStatus } from "../support/initiator_sense.ts";
import { findOwnMountsObstacle, OWN_MOUNTS, testUnless } from "../support/obstacles.ts";
import { iscsiCommand, ROOT, runIscsi, ServerProcess } from "../support/server_process.ts";
import { findMissing, runTool, runToolOk, testWithTools, type ToolResult } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { CHANGES, ERASURES, SLOT_BLOCKS, SLOT_BYTES } from "../support/writing_commands.ts";
import { Appliance } from "./appliance.ts";

const TARGET = "iqn.2002-08.info.netmanager:disk";
const CONF = "[disk]\nsize = 4MB\nnetworks = 127.0.0.0/8\n";
const BLOCKS = 64;
const BYTES = BLOCKS * 512;

/** UNMAP of the first blocks, and its parameter list. */
const UNMAP = Uint8Array.of(0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0);
const UNMAP_LIST = Uint8Array.of(0, 22, 0, 16, ...Array(12).fill(0), 0, 0, 0, BLOCKS, 0, 0, 0, 0);

/** Writes blocks, unmaps them, and asserts that their space has returned to the file system. */
async function writeAndUnmap(appliance: Appliance, name = "disk"): Promise<void> {
  const targetName = TARGET.replace("disk", name);
  const initiator: Initiator = await appliance.login({ targetName });
  for (let attempt = 0; attempt < 5; attempt++) {
    if ((await initiator.command({ cdb: testUnitReady() })).status === ScsiStatus.good) break;
  }
  const written = await initiator.command({ cdb: write10(0, BLOCKS, { fua: true }), write: pattern(BYTES) });
  assertEquals(written.status, ScsiStatus.good);
  const file = `${appliance.storage}/${name}`;
  assertEquals(Deno.readFileSync(file).subarray(0, BYTES), pattern(BYTES));
  assertEquals((await initiator.command({ cdb: UNMAP, write: UNMAP_LIST })).status, ScsiStatus.good);
  assertEquals(Deno.readFileSync(file).subarray(0, BYTES), new Uint8Array(BYTES));
  assertEquals(Deno.statSync(file).blocks, 0);
  await initiator.close();
}

/** The beginning of a command line that leaves nothing in the environment. */
const BARE = ["/usr/bin/env", "-i"];

function run([program, ...args]: readonly string[]): Promise<ToolResult> {
  return runTool(program!, args);
}

testWithTools(
  "check, build, serve and status work with an empty environment",
  ["fallocate", "flock"],
  async () => {
    using appliance = Appliance.create(CONF);
    const { program, args } = iscsiCommand();
    const iscsi = (command: string): Promise<ToolResult> =>
      run([...BARE, program, ...args, ...command.split(" "), "--conf", appliance.confPath]);
    for (const command of ["check", "build"]) {
      const { code, stderr } = await iscsi(command);
      assertEquals([code, stderr.replace(/^iscsi: No server is running.*\n/, "")], [0, ""], command);
    }
    await using _server = ServerProcess.launchBelow(BARE, ["serve", "--conf", appliance.confPath]);
    const waited = await iscsi("status --wait 20");
    assertEquals([waited.code, waited.stdout, waited.stderr], [0, "", ""]);
    assertMatch((await iscsi("status")).stdout, /^Server {4}iscsi /);
    await writeAndUnmap(appliance);
  },
);

/** Returns a command line of the program from source, with the rights that a compilation for the appliance gives. */
async function scopedCommand(appliance: Appliance): Promise<readonly string[]> {
  const { storage, port, confPath } = appliance;
  const scope = readScope([
    "--storage",
    storage,
    "--listen",
    `127.0.0.1:${port}`,
    "--conf",
    confPath,
  ]) as Scope;
  const probe = ["run", "--quiet", "--no-config", "--allow-net=unix:/nowhere", "data:text/javascript,"];
  const hasSocketRights = (await runTool(Deno.execPath(), probe)).code === 0;
  // Deno reads the modules of workers, which a compiled program contains.
  const flags = limitRights(permissionFlags(), scope, { hasSocketRights })
    .map((flag) => flag.replace("--allow-read=", `--allow-read=${ROOT}lib,`));
  return [Deno.execPath(), "run", "--quiet", "--config", `${ROOT}deno.json`, ...flags, `${ROOT}main.ts`];
}

testWithTools("a program with the rights of one storage folder serves it, and a conf that grows", [
  "fallocate",
  "flock",
], async () => {
  using appliance = Appliance.create(CONF);
  const scoped = await scopedCommand(appliance);
  const iscsi = (command: string): Promise<ToolResult> =>
    run([...scoped, ...command.split(" "), "--conf", appliance.confPath]);
  const early = await iscsi("build");
  assertEquals(early.code, 1);
  assertStringIncludes(early.stderr, `run "mkdir ${appliance.storage}"`);
  Deno.mkdirSync(appliance.storage);
  assertEquals((await iscsi("build")).code, 0);
  const links = `${appliance.storage}/.iscsi/links/read-write`;
  await using server = ServerProcess.launchCommand([...scoped, "serve", "--conf", appliance.confPath]);
  await server.untilReady();
  await writeAndUnmap(appliance);
  appliance.writeConf(`${CONF}[more]\nsize = 4MB\nnetworks = 127.0.0.0/8\n`);
  const grown = await iscsi("build");
  assertStringIncludes(grown.stdout, "add target [more]", grown.stderr);
  await writeAndUnmap(appliance, "more");
  assertEquals((await iscsi("status")).code, 0);
  const inodes = [...Deno.readDirSync(links)].map(({ name }) => Deno.lstatSync(`${links}/${name}`).ino);
  assertEquals(
    inodes.toSorted(),
    ["disk", "more"].map((name) => Deno.statSync(`${appliance.storage}/${name}`).ino).toSorted(),
  );
  assertEquals((await server.stop()).code, 0);
  assertEquals([...Deno.readDirSync(links)], []);
});

Deno.test("a program with the rights of one storage folder refuses a conf that takes more", async () => {
  using appliance = Appliance.create(CONF);
  Deno.mkdirSync(appliance.storage);
  const scoped = await scopedCommand(appliance);
  const iscsi = (command: string): Promise<ToolResult> =>
    run([...scoped, ...command.split(" "), "--conf", appliance.confPath]);
  assertEquals((await iscsi("build")).code, 0);
  await using server = ServerProcess.launchCommand([...scoped, "serve", "--conf", appliance.confPath]);
  await server.untilReady();
  appliance.writeConf(`${CONF}file = /etc/netmanager-disk\n`);
  const message =
    `${appliance.confPath}:6: Cannot use file "/etc/netmanager-disk": this program was compiled without the write ` +
    "right for it; compile it with --storage /etc";
  for (const command of ["check", "build", "serve", "reload"]) {
    const { code, stderr } = await iscsi(command);
    assertEquals([code, stderr.split("\n")[0]], [3, message], command);
  }
  server.signal("SIGHUP");
  await server.waitForLog(`Conf rejected, keeping the old one: ${message}`);
  const absent = await run([...scoped, "check", "--conf", "/etc/passwd"]);
  assertStringIncludes(absent.stderr, 'this program has no read right to "/etc/passwd"');
});

testUnless(
  findMissing(["systemd-notify"]) ?? findOwnMountsObstacle(),
  "a server that systemd has started reports when it is ready, and leaves systemd alone otherwise",
  async () => {
    using appliance = Appliance.create(CONF);
    assertEquals((await appliance.build()).code, 0);
    const [standIn, report] = [`${appliance.folder}/notify`, `${appliance.folder}/report`];
    const script = `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >>${report}\n`;
    Deno.writeTextFileSync(standIn, script, { mode: 0o755 });
    const mount = `mount --bind ${standIn} /usr/bin/systemd-notify && exec "$@"`;
    for (const [env, reported] of [[{}, ""], [{ NOTIFY_SOCKET: "/run/n" }, "/run/n --ready\n"]] as const) {
      Deno.writeTextFileSync(report, "");
      const wrapper = [...OWN_MOUNTS, "sh", "-c", mount, "sh"];
      await using server = ServerProcess.launchBelow(wrapper, ["serve", "--conf", appliance.confPath], env);
      await server.untilReady();
      await until(() => Deno.readTextFileSync(report) === reported, "systemd has the report");
      assertEquals((await server.stop()).code, 0);
      assertEquals(Deno.readTextFileSync(report), reported);
      assertEquals(server.stderr, "");
    }
  },
);

/** Makes everything read-only but `$1`, leaves four devices, and becomes the rest of its command line. */
const CONFINE = `
set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro /
mount -t tmpfs none /mnt
for name in null zero random urandom; do : > /mnt/$name; mount --bind /dev/$name /mnt/$name; done
mount --rbind /mnt /dev
shift
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
`;

testUnless(
  Deno.uid() !== 0 ? "takes root" : findMissing(["fallocate", "flock"]) ?? findOwnMountsObstacle(),
  "the server works as root without capabilities, devices, and anything to write but its storage folder",
  async () => {
    using appliance = Appliance.create(CONF);
    assertEquals((await appliance.build()).code, 0);
    const wrapper = [...OWN_MOUNTS, "sh", "-c", CONFINE, "sh", appliance.storage, ...BARE];
    await using server = ServerProcess.launchBelow(wrapper, ["serve", "--conf", appliance.confPath]);
    await server.untilReady();
    const status = Deno.readTextFileSync(`/proc/${server.pid}/status`);
    assertMatch(status, /^CapEff:\t0+$/m);
    await writeAndUnmap(appliance);
    assertEquals((await server.stop()).code, 0);
  },
);

/** Returns the system calls of a filter of systemd, whose groups contain groups. */
async function systemCalls(filter: string): Promise<Set<string>> {
  if (!filter.startsWith("@")) return new Set([filter]);
  const lines = (await runToolOk("systemd-analyze", ["syscall-filter", "--no-pager", filter])).split("\n")
    .slice(1);
  const names = lines.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
  return new Set((await Promise.all(names.map(systemCalls))).flatMap((calls) => [...calls]));
}

/** Returns the system calls that a unit allows. */
async function allowedCalls(unit: string): Promise<Set<string>> {
  let allowed = new Set<string>();
  for (const [, denies, words] of unit.matchAll(/^SystemCallFilter=(~?)(.*)$/gm)) {
    const sets = await Promise.all(words!.split(" ").map(systemCalls));
    for (const calls of sets) allowed = denies === "~" ? allowed.difference(calls) : allowed.union(calls);
  }
  return allowed;
}

const UNIT = systemdUnit({
  program: "/usr/local/sbin/iscsi",
  conf: undefined,
  folders: ["/s"],
  devices: [],
  usesHome: false,
  usesTemporary: false,
  networks: [],
  openReason: "",
  hasLowPort: false,
  hasForeignFiles: false,
  unitCount: 1,
});

testWithTools("the systemd unit allows every system call of a busy server and its programs", [
  "strace",
  "systemd-analyze",
  "fallocate",
  "flock",
], async () => {
  using appliance = Appliance.create(CONF);
  assertEquals((await appliance.build()).code, 0);
  const trace = `${appliance.folder}/trace`;
  // With -D the server is the child of this process, and gets its signals.
  const wrapper = ["strace", "-D", "-f", "-qq", "-o", trace, ...BARE];
  {
    await using server = ServerProcess.launchBelow(wrapper, ["serve", "--conf", appliance.confPath]);
    await server.untilReady();
    await writeAndUnmap(appliance);
    appliance.writeConf(`${CONF}[more]\nsize = 4MB\nnetworks = 127.0.0.0/8\n`);
    assertEquals((await appliance.build()).code, 0);
    await writeAndUnmap(appliance, "more");
    assertEquals((await runIscsi(["status", "--conf", appliance.confPath])).code, 0);
  }
  const calls = new Set(
    [...Deno.readTextFileSync(trace).matchAll(/^\d+ +(\w+)\(/gm)].map(([, name]) => name!),
  );
  assert(calls.has("fallocate") && calls.has("flock") && calls.has("linkat"), [...calls].join(" "));
  // Deno's cache, which only a program from source uses, sets the owner of its files.
  if (Deno.env.get("ISCSI_BINARY") === undefined) calls.delete("fchown");
  assertEquals([...calls.difference(await allowedCalls(UNIT))], []);
});

Deno.test("all writing commands work where the storage folder is a symbolic link", async () => {
  using appliance = Appliance.create(CONF);
  Deno.mkdirSync(`${appliance.folder}/real`);
  Deno.symlinkSync(`${appliance.folder}/real`, appliance.storage);
  await using _server = await appliance.serve();
  const initiator = await appliance.login({ targetName: TARGET });
  for (let attempt = 0; attempt < 5; attempt++) await initiator.command({ cdb: testUnitReady() });
  const [old, fresh] = [new Uint8Array(SLOT_BYTES), pattern(SLOT_BYTES)];
  const changes = Object.entries(CHANGES).map(([name, row], index) =>
    [name, row.command(index * SLOT_BLOCKS, old, fresh)] as const
  );
  for (const [name, command] of [...changes, ...Object.entries(ERASURES)]) {
    const { status, sense } = await initiator.command(command);
    assertEquals([name, status, sense?.code], [name, ScsiStatus.good, undefined]);
  }
  await initiator.close();
});
