/** `iscsi status` in this process, against fake servers. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { ControlServer } from "../../lib/control/control_server.ts";
import type { ServerStatus } from "../../lib/control/server_status.ts";
import { handlersWith } from "../control/_handlers.ts";
import { withScratch } from "../provision/scratch.ts";
import { runCommand } from "./command_run.ts";

const WARNING = 'Any machine that reaches 192.168.100.1:3260 can read and overwrite [a]: set "networks"';

/** A conf for two LUNs in a storage folder that has its state folder, and nothing else. */
function makeConf(folder: string, ...lines: readonly string[]): string {
  const conf = join(folder, "iscsi.conf");
  const storage = join(folder, "storage");
  Deno.writeTextFileSync(conf, [`storage=${storage}`, "[a]", "size=1GB 1MB", ...lines].join("\n"));
  Deno.mkdirSync(join(storage, ".iscsi"), { recursive: true });
  return conf;
}

function statusOf(storage: string): ServerStatus {
  return {
    version: "9.9.9",
    pid: 4711,
    uptimeSeconds: 61,
    monotonicMs: 61_000,
    storage,
    portals: ["127.0.0.1:3260"],
    workers: [],
    warnings: [WARNING],
    paths: [],
    space: { files: [], fileSystems: [] },
    copies: [],
    ready: true,
    node: null,
  };
}

function serve(folder: string, onLook: () => void = () => {}): Promise<ControlServer> {
  return serveStatus(folder, () => {
    onLook();
    return {};
  });
}

/** Runs a server with a status of its own at each request. */
function serveStatus(folder: string, look: () => Partial<ServerStatus>): Promise<ControlServer> {
  const storage = join(folder, "storage");
  const handlers = handlersWith({
    status: async () => {
      await Promise.resolve();
      return { ...statusOf("/scratch/storage"), ...look() };
    },
  });
  return ControlServer.listen(join(storage, ".iscsi", "control"), handlers);
}

Deno.test("iscsi status shows what the server says", () =>
  withScratch(async (folder) => {
    const conf = makeConf(folder);
    using _server = await serve(folder);
    const { stdout, stderr, exitCode } = await runCommand(["status", "--conf", conf]);
    assertEquals([stderr, exitCode], ["", 0]);
    assertEquals(
      stdout,
      `Server    iscsi 9.9.9, pid 4711, up 1 m 1 s
Storage   /scratch/storage
Portals   127.0.0.1:3260
Warning   Any machine that reaches 192.168.100.1:3260 can read and overwrite
          [a]: set "networks"

LUN         PROMISED   ALLOCATED   GROWTH/DAY     IOPS    MB/s  LATENCY      P99

THE TARGET WORKER IS STARTING
`,
    );
    const json = await runCommand(["status", "--conf", conf, "--json"]);
    assertEquals([json.exitCode, JSON.parse(json.stdout)], [0, {
      server: {
        ...{ version: "9.9.9", pid: 4711, uptimeSeconds: 61, portals: ["127.0.0.1:3260"], workers: [] },
        limits: null,
      },
      storage: "/scratch/storage",
      warnings: [WARNING],
      intervalSeconds: null,
      targets: [],
      fileSystems: [],
      copies: [],
      sessions: [],
      refusals: null,
    }]);
  }));

Deno.test("iscsi status finds the server of a conf that has errors now", () =>
  withScratch(async (folder) => {
    const conf = makeConf(folder, "sise=2GB");
    const absent = await runCommand(["status", "--conf", conf], folder);
    assertEquals(
      absent,
      { stdout: "", stderr: 'iscsi: No server is running on "/scratch/storage"\n', exitCode: 1 },
    );
    using _server = await serve(folder);
    const { stdout, stderr, exitCode } = await runCommand(["status", "--conf", conf]);
    assertEquals([stderr, exitCode], ["", 0]);
    assertStringIncludes(stdout, "pid 4711");
    Deno.writeTextFileSync(conf, "storage=nowhere\n");
    assertEquals((await runCommand(["status", "--conf", conf])).exitCode, 3);
  }));

Deno.test("iscsi status --storage finds the server, whatever the conf names", () =>
  withScratch(async (folder) => {
    const conf = makeConf(folder);
    using _server = await serve(folder);
    Deno.writeTextFileSync(conf, `storage=${join(folder, "elsewhere")}\n[a]\nsize=1GB\n`);
    const absent = await runCommand(["status", "--conf", conf], folder);
    assertEquals(absent.stderr, 'iscsi: No server is running on "/scratch/elsewhere"\n');
    const args = ["--conf", conf, "--storage", join(folder, "storage")];
    const { stdout, stderr, exitCode } = await runCommand(["status", ...args]);
    assertEquals([stderr, exitCode], ["", 0]);
    assertStringIncludes(stdout, "pid 4711");
    for (const command of [["reservations"], ["disconnect", "1"]]) {
      const { stderr } = await runCommand([...command, "--conf", conf], folder);
      assertEquals(stderr, 'iscsi: No server is running on "/scratch/elsewhere"\n');
      assertEquals((await runCommand([...command, ...args], folder)).stderr.includes("is running on"), false);
    }
  }));

Deno.test("iscsi status without a server shows the disk, and fails", () =>
  withScratch(async (folder) => {
    const conf = makeConf(folder);
    Deno.writeTextFileSync(join(folder, "storage", "a_1"), "x".repeat(4096));
    const { stdout, stderr, exitCode } = await runCommand(["status", "--conf", conf], folder);
    assertEquals([stderr, exitCode], ['iscsi: No server is running on "/scratch/storage"\n', 1]);
    assertEquals(
      stdout.replace(/^Warning {3}Any machine .*\n( {10}.*\n)*/m, "Warning\n").split("\n").slice(0, 8),
      [
        "Server    none is running",
        "Storage   /scratch/storage",
        "Warning",
        "",
        "LUN         PROMISED   ALLOCATED   GROWTH/DAY     IOPS    MB/s  LATENCY      P99",
        "a  iqn.2002-08.info.netmanager:a",
        "   0            1 GB           -            -        -       -        -        -",
        "   1            1 MB        4 KB      not yet        -       -        -        -",
      ],
    );
    const json = await runCommand(["status", "--conf", conf, "--json"]);
    const { server, targets, warnings } = JSON.parse(json.stdout);
    assertEquals(warnings.length, 1);
    assertMatch(
      warnings[0],
      /^Any machine that reaches \S.* can read and overwrite \[a\]: set "networks" or /,
    );
    assertEquals([json.exitCode, server, targets[0].logicalUnits[1].allocatedBytes], [1, null, 4096]);
  }));

Deno.test("iscsi status --watch appends one look after the other, until the server refuses", () =>
  withScratch(async (folder) => {
    const conf = makeConf(folder);
    let looks = 0;
    using _server = await serve(folder, () => {
      if (++looks > 2) throw new Error("enough is enough");
    });
    const { stdout, stderr, exitCode } = await runCommand([
      "status",
      "--conf",
      conf,
      "--json",
      "--watch",
      "0.1",
    ]);
    const documents = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    assertEquals(documents.map(({ server, error }) => server?.pid ?? error.message), [
      4711,
      4711,
      "The server refuses: enough is enough",
    ]);
    assertEquals([stderr, exitCode], ["iscsi: The server refuses: enough is enough\n", 1]);
  }));

Deno.test("iscsi status refuses an interval out of range", async () => {
  for (const seconds of ["0", "0.05", "x", "-1", "86401", "NaN"]) {
    const { stderr, exitCode } = await runCommand(["status", `--watch=${seconds}`]);
    assertEquals(exitCode, 2);
    assertStringIncludes(stderr, `Cannot watch every "${seconds}" seconds`);
  }
});

Deno.test("iscsi status TARGET shows one target, and names the nearest of an unknown one", () =>
  withScratch(async (folder) => {
    const conf = makeConf(folder, "[xenserver]", "size=1MB");
    const shown = await runCommand(["status", "xenserver", "--conf", conf, "--json"], folder);
    assertEquals(JSON.parse(shown.stdout).targets.map(({ name }: { name: string }) => name), ["xenserver"]);
    const full = await runCommand(
      ["status", "iqn.2002-08.info.netmanager:A", "--conf", conf, "--json"],
      folder,
    );
    assertEquals(JSON.parse(full.stdout).targets.map(({ name }: { name: string }) => name), ["a"]);
    const unknown = await runCommand(["status", "xenservr", "--conf", conf], folder);
    assertEquals([unknown.stdout, unknown.exitCode], ["", 1]);
    assertStringIncludes(unknown.stderr, 'No target "xenservr" in the conf: did you mean "xenserver"?');
    const lost = await runCommand(["status", "other", "--conf", conf], folder);
    assertStringIncludes(lost.stderr, 'No target "other" in the conf; it is one of: a, xenserver');
  }));

Deno.test("iscsi status --wait answers as JSON, and for the LUNs of one target", () =>
  withScratch(async (folder) => {
    const conf = makeConf(folder);
    const line = ["status", "--conf", conf, "--wait", "0", "--json"];
    const absent = await runCommand(line, folder);
    assertEquals(absent.exitCode, 1);
    assertEquals(JSON.parse(absent.stdout).error.message, 'No server is running on "/scratch/storage"');
    let looks = 0;
    using _server = await serveStatus(folder, () => ({ ready: ++looks > 2 }));
    const early = await runCommand(line, folder);
    assertEquals(early.exitCode, 1);
    assertStringIncludes(early.stderr, "(pid 4711) is not ready; see its log");
    const ready = await runCommand(["status", "--conf", conf, "--wait", "60", "--json"], folder);
    assertEquals([JSON.parse(ready.stdout), ready.stderr, ready.exitCode], [{ ready: true }, "", 0]);
    const target = await runCommand(["status", "a", "--conf", conf, "--wait", "0"], folder);
    assertEquals([target.exitCode, target.stderr], [
      1,
      "iscsi: The target worker is starting; run it again\n",
    ]);
  }));

Deno.test("iscsi status --wait ends once the server is ready, and prints nothing", () =>
  withScratch(async (folder) => {
    const conf = makeConf(folder);
    let looks = 0;
    const handlers = handlersWith({
      status: () => Promise.resolve({ ...statusOf("/scratch/storage"), ready: ++looks === 3 }),
    });
    const waiting = runCommand(["status", "--wait", "--conf", conf]);
    using _server = await ControlServer.listen(join(folder, "storage/.iscsi/control"), handlers);
    assertEquals(await waiting, { stdout: "", stderr: "", exitCode: 0 });
    assertEquals(looks, 3);
  }));

Deno.test("iscsi status --wait says what it has waited for when the time is over", () =>
  withScratch(async (folder) => {
    const conf = makeConf(folder);
    const without = await runCommand(["status", "--wait=0", "--conf", conf], folder);
    assertEquals(without, {
      stdout: "",
      stderr: 'iscsi: No server is running on "/scratch/storage"\n',
      exitCode: 1,
    });
    const handlers = handlersWith({
      status: () => Promise.resolve({ ...statusOf("/scratch/storage"), ready: false }),
    });
    using _server = await ControlServer.listen(join(folder, "storage/.iscsi/control"), handlers);
    const { stderr, exitCode } = await runCommand(["status", "--wait", "0.01", "--conf", conf], folder);
    const said = 'iscsi: The server running on "/scratch/storage" (pid 4711) is not ready; see its log\n';
    assertEquals([stderr, exitCode], [said, 1]);
  }));

Deno.test("iscsi status --wait takes a number of seconds", async () => {
  for (const text of ["soon", "-1", "1e9"]) {
    const { stderr, exitCode } = await runCommand(["status", `--wait=${text}`]);
    assertEquals([stderr, exitCode], [
      `iscsi: Cannot wait "${text}" seconds: write a number from 0 to 86400\n`,
      2,
    ]);
  }
});

Deno.test("iscsi status --probe reports where a login is answered, and ends with 1 where it is not", () =>
  withScratch(async (folder) => {
    const conf = makeConf(folder);
    const absent = await runCommand(["status", "--probe", "--conf", conf], folder);
    assertEquals([absent.exitCode, absent.stderr], [
      1,
      'iscsi: No server is running on "/scratch/storage"\n',
    ]);
    const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const portal = `127.0.0.1:${closed.addr.port}`;
    closed.close();
    using _server = await serveStatus(folder, () => ({ portals: [portal] }));
    const text = await runCommand(["status", "--probe", "--conf", conf]);
    const line = `${portal}: Connection refused (os error 111)`;
    assertEquals(text, {
      stdout: `${line}\n`,
      stderr: `iscsi: Logins are not answered: ${line}\n`,
      exitCode: 1,
    });
    const { stdout, exitCode } = await runCommand(["status", "--wait", "--probe", "--json", "--conf", conf]);
    const { answers, portals } = JSON.parse(stdout);
    assertEquals([exitCode, answers, portals], [1, false, [
      { portal, answers: false, problem: "Connection refused (os error 111)" },
    ]]);
  }));
