/** Servers and workers that follow others whose work is not over: programs, writes that hang, and frozen disks. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import type { Initiator } from "../support/initiator.ts";
import { read10, testUnitReady, write10, writeAtomic16 } from "../support/initiator_cdb.ts";
import { scsiCommand } from "../support/initiator_request.ts";
import { ScsiStatus } from "../support/initiator_sense.ts";
import { HELPER_FOLDERS } from "../../lib/provision/run_helper.ts";
import { findOwnMountsObstacle, OWN_MOUNTS, testUnless } from "../support/obstacles.ts";
import { runIscsi, ServerProcess } from "../support/server_process.ts";
import { testOnFileSystem } from "../support/small_file_system.ts";
import { findMissing, runToolOk } from "../support/tools.ts";
import { Appliance } from "./appliance.ts";
import { freeze, isStuck, untilStuck } from "../support/frozen_disk.ts";
import { until } from "../support/until.ts";
import { pattern } from "../support/content.ts";
import { numbered } from "../support/exchanges.ts";

const TARGET = "iqn.2002-08.info.netmanager:disk";
const OTHER_TARGET = "iqn.2002-08.info.netmanager.other:disk";
const CONF = "[disk]\nsize = 4MB\nnetworks = 127.0.0.0/8\n";
const BLOCKS = 16;
const BYTES = BLOCKS * 512;

/** UNMAP of the first blocks, and its parameter list. */
const UNMAP = Uint8Array.of(0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0);
const UNMAP_LIST = Uint8Array.of(0, 22, 0, 16, ...Array(12).fill(0), 0, 0, 0, BLOCKS, 0, 0, 0, 0);

/** Returns an initiator that is logged in and has received every unit attention. */
async function logIn(appliance: Appliance, targetName = TARGET): Promise<Initiator> {
  const initiator = await appliance.login({ targetName });
  for (let attempt = 0; attempt < 5; attempt++) {
    const { status } = await initiator.command({ cdb: testUnitReady() });
    if (status === ScsiStatus.good) break;
  }
  return initiator;
}

/** Sends a command with data, and does not wait for the answer. */
async function sendData(initiator: Initiator, cdb: Uint8Array, data: Uint8Array): Promise<void> {
  const expectedLength = data.length;
  const options = { isFinal: true, reads: false, writes: true, lun: 0, expectedLength, cdb, data };
  await initiator.send(scsiCommand({ ...numbered(initiator), ...options }));
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/**
 * Stands in for `fallocate`: while there is a file `gate` it waits with the file open, and makes the hole then, in the
 * file that it has open, by the real program.
 */
function fallocateStandIn(gate: string, real: string): string {
  return `#!/bin/sh
exec 9<>"$7"
if [ -e "${gate}" ]; then : > "${gate}.reached"; fi
while [ -e "${gate}" ]; do sleep 0.02; done
exec ${real} "$1" "$2" "$3" "$4" "$5" "$6" /proc/self/fd/9
`;
}

/** Stands in for Perl, whose program makes many holes: it waits between opening the file and the first hole. */
function perlStandIn(gate: string, real: string): string {
  const prefix = `BEGIN { *CORE::GLOBAL::syscall = sub {
  if (-e "${gate}") { open my $mark, ">", "${gate}.reached"; close $mark }
  select undef, undef, undef, 0.02 while -e "${gate}";
  CORE::syscall($_[0], $_[1], $_[2], $_[3], $_[4]);
} }`;
  return `#!/bin/sh
if [ "$1" != -e ]; then exec ${real} "$@"; fi
exec ${real} -e '${prefix}'"$2" "$3"
`;
}

const STAND_INS = { fallocate: fallocateStandIn, perl: perlStandIn } as const;

/** A program that makes holes. */
type Program = keyof typeof STAND_INS;

/** Returns the path of a program that is installed. */
function pathOf(name: string): string | undefined {
  return HELPER_FOLDERS.map((folder) => `${folder}/${name}`).find(exists);
}

/**
 * Starts a server that finds a stand-in for a program, mounted over it in a namespace of the server, and none of the
 * other programs that make many holes.
 */
function launchWithStandIn(appliance: Appliance, program: Program): ServerProcess {
  const hidden = ["perl", "xfs_io"].filter((name) => name !== program).flatMap((name) => pathOf(name) ?? []);
  const nothing = `${appliance.folder}/nothing`;
  Deno.writeTextFileSync(nothing, "", { mode: 0o644 });
  const mounts = [
    ...hidden.map((path) => `mount --bind ${nothing} ${path}`),
    `mount --bind ${appliance.folder}/${program} ${pathOf(program)}`,
  ];
  const wrapper = [...OWN_MOUNTS, "sh", "-c", `${mounts.join(" && ")} && exec "$@"`, "sh"];
  return ServerProcess.launchBelow(wrapper, ["serve", "--conf", appliance.confPath]);
}

/** Kills a server while a program makes a hole in its disk, which was written before. */
async function leaveProgram(appliance: Appliance, program: Program, gate: string): Promise<void> {
  const [real, standIn] = [`${appliance.folder}/real`, `${appliance.folder}/${program}`];
  Deno.copyFileSync(pathOf(program)!, real);
  Deno.writeTextFileSync(standIn, STAND_INS[program](gate, real), { mode: 0o755 });
  assertEquals((await appliance.build()).code, 0);
  await using server = await launchWithStandIn(appliance, program).untilReady();
  const initiator = await logIn(appliance);
  const written = await initiator.command({ cdb: write10(0, BLOCKS), write: pattern(BYTES) });
  assertEquals(written.status, ScsiStatus.good);
  Deno.writeTextFileSync(gate, "");
  await sendData(initiator, UNMAP, UNMAP_LIST);
  await until(() => exists(`${gate}.reached`), "the program has opened the disk");
  await server.kill();
  await initiator.close();
}

for (const program of ["fallocate", "perl"] as const) {
  testUnless(
    findMissing([program, "flock"]) ?? findOwnMountsObstacle(),
    `a server waits for ${program} of one that was killed before it serves`,
    async () => {
      using appliance = Appliance.create(CONF);
      const gate = `${appliance.folder}/gate`;
      await leaveProgram(appliance, program, gate);
      await using server = launchWithStandIn(appliance, program);
      await server.waitForLog("Waiting for ", 20_000);
      assertMatch(
        server.stderr,
        new RegExp(`that an earlier server started: it may still change "${appliance.storage}/disk"`),
      );
      assertEquals(server.stdout, "");
      Deno.removeSync(gate);
      await server.untilReady();
      assertEquals(Deno.readFileSync(`${appliance.storage}/disk`).subarray(0, BYTES), new Uint8Array(BYTES));
      const initiator = await logIn(appliance);
      const written = await initiator.command({
        cdb: write10(0, BLOCKS, { fua: true }),
        write: pattern(BYTES),
      });
      assertEquals(written.status, ScsiStatus.good);
      const { data } = await initiator.command({ cdb: read10(0, BLOCKS), read: BYTES });
      assertEquals(data, pattern(BYTES));
      await initiator.close();
    },
  );
}

testUnless(
  findMissing(["fallocate", "flock"]) ?? findOwnMountsObstacle(),
  "a server that waits for a program ends when it is stopped",
  async () => {
    using appliance = Appliance.create(CONF);
    const gate = `${appliance.folder}/gate`;
    await leaveProgram(appliance, "fallocate", gate);
    const server = launchWithStandIn(appliance, "fallocate");
    await server.waitForLog("Waiting for ", 20_000);
    assertEquals((await server.stop()).signal, "SIGTERM");
    assert(exists(gate));
    Deno.removeSync(gate);
  },
);

/** Compiles what makes writes to a file hang, and returns where it is. */
async function compileHold(folder: string): Promise<string> {
  const library = `${folder}/hold_writes.so`;
  const source = fromFileUrl(new URL("./hold_writes.c", import.meta.url));
  await runToolOk("gcc", ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]);
  return library;
}

function hasCompiler(): boolean {
  try {
    return new Deno.Command("gcc", { args: ["--version"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

const NO_COMPILER = hasCompiler() ? "" : " (gcc not installed)";

/** A server in which an atomic write hangs, until `gate` is removed. */
interface Held {
  readonly appliance: Appliance;
  readonly server: ServerProcess;
  readonly initiator: Initiator;
  readonly gate: string;
  readonly disk: string;
}

function testWithHeldWrite(name: string, test: (held: Held) => Promise<void>): void {
  Deno.test(`${name}${NO_COMPILER}`, { ignore: NO_COMPILER !== "" }, async () => {
    using appliance = Appliance.create(CONF);
    const [gate, disk] = [`${appliance.folder}/gate`, `${appliance.storage}/disk`];
    assertEquals((await appliance.build()).code, 0);
    const env = { LD_PRELOAD: await compileHold(appliance.folder), HOLD_FILE: disk, HOLD_GATE: gate };
    const server = await ServerProcess.start(appliance.confPath, env);
    try {
      const initiator = await logIn(appliance);
      Deno.writeTextFileSync(gate, "");
      await sendData(initiator, writeAtomic16(0, BLOCKS), pattern(BYTES));
      await until(() => exists(`${gate}.reached`), "the write hangs");
      await test({ appliance, server, initiator, gate, disk });
      await initiator.close();
    } finally {
      if (!server.isEnded) await server.kill();
    }
  });
}

testWithHeldWrite("a write of a worker that was replaced lands before another serves", async (held) => {
  const { appliance, server, initiator, gate, disk } = held;
  appliance.writeConf(`node = iqn.2002-08.info.netmanager.other\n${CONF}`);
  const reloaded = runIscsi(["reload", "--force", "--conf", appliance.confPath]);
  await server.waitForLog("Target worker has not ended", 20_000);
  assertMatch(server.stderr, new RegExp(`still change "${disk}"`));
  assertEquals(server.stdout.match(/^ready$/gm)?.length, 1);
  Deno.removeSync(gate);
  assertEquals((await reloaded).code, 0);
  assertEquals(server.stdout.match(/^ready$/gm)?.length, 2);
  const data = pattern(2 * BYTES).subarray(BYTES);
  const next = await logIn(appliance, OTHER_TARGET);
  const written = await next.command({ cdb: write10(0, BLOCKS, { fua: true }), write: data });
  assertEquals(written.status, ScsiStatus.good);
  assertEquals(Deno.readFileSync(disk).subarray(0, BYTES), data);
  await next.close();
  await initiator.close();
  assertEquals((await server.stop()).code, 0);
});

testWithHeldWrite(
  "a server that is stopped ends although a write hangs, and the next can start",
  async (held) => {
    const { appliance, server, disk } = held;
    assertEquals((await server.stop()).code, 1);
    assertMatch(
      server.stderr,
      new RegExp(`target worker has not ended: operations .* still change "${disk}"`),
    );
    await using _successor = await appliance.serve();
  },
);

testOnFileSystem(
  "a server that was killed in the middle of a write keeps its locks until the write has ended",
  "ext4",
  async ({ folder }) => {
    const conf = `[disk]\nsize = 4MB\nfile = ${folder}/disk\nnetworks = 127.0.0.0/8\n`;
    using appliance = Appliance.create(conf);
    using other = Appliance.create(conf);
    const server = await appliance.serve();
    const initiator = await logIn(appliance);
    assertEquals((await other.build()).code, 0);
    const stranger = await (async () => {
      await using _frozen = await freeze(folder);
      await sendData(initiator, write10(0, BLOCKS), pattern(BYTES));
      await untilStuck(server.pid);
      server.signal("SIGKILL");
      await initiator.close();
      const next = await runIscsi(["serve", "--conf", appliance.confPath]);
      assertEquals(next.code, 1);
      assertMatch(next.stderr, /: process \d+ serves it already\n/);
      // Nor does a server of another storage folder get the file.
      const stranger = await ServerProcess.start(other.confPath);
      await stranger.waitForLog(" has locked it");
      return stranger;
    })();
    await stranger.waitForLog("LUN 0 of [disk] is served now", 20_000);
    assertEquals((await stranger.stop()).code, 0);
    await server.kill();
    await using _successor = await appliance.serve();
  },
);

/** Returns the numbers of the processes that have a file open and stand in the kernel, where no signal reaches them. */
function stuckUsersOf(path: string): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => {
    try {
      return pid > 0 && pid !== Deno.pid && isStuck(pid) &&
        [...Deno.readDirSync(`/proc/${pid}/fd`)].some(({ name }) =>
          Deno.readLinkSync(`/proc/${pid}/fd/${name}`) === path
        );
    } catch {
      // A process that has ended.
      return false;
    }
  });
}

testOnFileSystem(
  "a program that was killed in the middle of a hole, with its server, keeps the next server waiting until it is made",
  "xfs",
  async ({ folder }) => {
    using appliance = Appliance.create(`[disk]\nsize = 4MB\nfile = ${folder}/disk\nnetworks = 127.0.0.0/8\n`);
    const server = await appliance.serve();
    const initiator = await logIn(appliance);
    const data = pattern(BYTES);
    assertEquals(
      (await initiator.command({ cdb: write10(0, BLOCKS, { fua: true }), write: data })).status,
      ScsiStatus.good,
    );
    const next = await (async () => {
      await using _frozen = await freeze(folder);
      await sendData(initiator, UNMAP, UNMAP_LIST);
      let programs: number[] = [];
      await until(() => {
        programs = stuckUsersOf(`${folder}/disk`).filter((pid) => pid !== server.pid);
        return programs.length > 0;
      }, "the program hangs");
      await server.kill();
      for (const pid of programs) Deno.kill(pid, "SIGKILL");
      await initiator.close();
      const next = ServerProcess.launch(appliance.confPath);
      await next.waitForLog("Waiting for ", 20_000);
      assertEquals(next.stdout, "");
      return next;
    })();
    await using _next = await next.untilReady();
    // It was made whole, before anything of the next server.
    assertEquals(Deno.readFileSync(`${folder}/disk`).subarray(0, BYTES), new Uint8Array(BYTES));
  },
);
