import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { join } from "@std/path";
import { type InterfaceAddress, interfaceAddresses } from "../../lib/access/interfaces.ts";
import { parseFile } from "../../lib/cli/load_config.ts";
import { snapshot, withScratch } from "../provision/scratch.ts";
import { runToolOk } from "../support/tools.ts";
import { runCommand } from "./command_run.ts";

const CONF = `storage=/data/iscsi
initiators=iqn.2011-07.com.example:89abcdef iqn.2011-07.com.example:01234567
connections=16

[xenserver]
size=750GB 500MB
networks=192.168.100.0/24

[backup]
size=1.5TB
file=/mnt/backup/disk
alias=old-backup
comment=The backups of the whole house, which are written every night at two o'clock and read never
readonly=y
initiators=iqn.2011-07.com.example:backup
networks=fd00:1::/64 10.0.0.1
blocksize=4096
removable=y
writecache=n
vendor=ACME
serial=OLD-1
user=backup
secret=not-for-showing
redirect=permanently 10.0.0.9
`;

const TEXT = `Storage       /data/iscsi
Port          3260
Limits        32 sessions, 16 connections
Ping          after 30 s of silence, 30 s for the answer
Discovery     without CHAP

Target        iqn.2002-08.info.netmanager:xenserver
  comment     xenserver
  access      read and write
  disk        blocks of 512 bytes on 4096
  networks    192.168.100.0/24
  paths       192.168.100.1:3260
  initiators  iqn.2011-07.com.example:89abcdef
              iqn.2011-07.com.example:01234567
  login       without CHAP
  LUN 0       750 GB  /data/iscsi/xenserver
  LUN 1       500 MB  /data/iscsi/xenserver_1

Target        iqn.2002-08.info.netmanager:backup
  alias       iqn.2002-08.info.netmanager:old-backup
  comment     The backups of the whole house, which are written every night at
              two o'clock and read never
  access      read only
  disk        blocks of 4096 bytes on 4096, removable, no write cache, vendor
              "ACME", serial "OLD-1"
  networks    fd00:1::/64
              10.0.0.1
  paths       none at present
  initiators  iqn.2011-07.com.example:backup
  login       CHAP, 1 name
  redirect    permanently 10.0.0.9:3260
  LUN 0       1.5 TB  /mnt/backup/disk
`;

/** A server with two cards and a bridge of its containers. */
const INTERFACES = interfaceAddresses([
  { name: "lo", address: "127.0.0.1", cidr: "127.0.0.1/8" },
  { name: "eth0", address: "192.168.1.7", cidr: "192.168.1.7/24" },
  { name: "eth0", address: "fe80::1", cidr: "fe80::1/64" },
  { name: "eth1", address: "192.168.100.1", cidr: "192.168.100.1/24" },
  { name: "docker0", address: "172.17.0.1", cidr: "172.17.0.1/16" },
]);

async function checkConf(conf: string, ...args: readonly string[]): ReturnType<typeof runCommand> {
  return await checkConfAt(INTERFACES, conf, ...args);
}

async function checkConfAt(
  interfaces: readonly InterfaceAddress[],
  conf: string,
  ...args: readonly string[]
): ReturnType<typeof runCommand> {
  let result: Awaited<ReturnType<typeof runCommand>> | undefined;
  await withScratch(async (folder) => {
    Deno.writeTextFileSync(join(folder, "conf"), conf, { mode: 0o600 });
    const before = snapshot(folder);
    result = await runCommand(["check", "--conf", join(folder, "conf"), ...args], folder, {
      interfaces: () => interfaces,
    });
    assertEquals(snapshot(folder), before);
  });
  return result!;
}

Deno.test("iscsi check prints what a conf exports", async () => {
  assertEquals(await checkConf(CONF), { stdout: TEXT, stderr: "", exitCode: 0 });
});

Deno.test("iscsi check prints the ping intervals", async () => {
  assertMatch((await checkConf("ping=0\n[a]\nsize=512\n")).stdout, /^Ping {10}never$/m);
  const { stdout } = await checkConf("ping=5\npingtimeout=7\n[a]\nsize=512\n");
  assertMatch(stdout, /^Ping {10}after 5 s of silence, 7 s for the answer$/m);
});

Deno.test("iscsi check prints that a target without restrictions admits all", async () => {
  const { stdout } = await checkConf("[a]\nsize=512\n");
  assertMatch(stdout, /^ {2}networks {4}all$/m);
  assertMatch(stdout, /^ {2}initiators {2}all$/m);
  assertMatch(stdout, /^ {2}LUN 0 {7}512 bytes {2}\/usr\/shares\/iscsi\/a$/m);
});

Deno.test("iscsi check prints odd names of initiators as the conf lists them", async () => {
  const list = '"iqn.2008-11.org.linux-kvm:Web Server 1" iqn.2008-11.org.linux-kvm:vm(1)';
  const { stdout } = await checkConf(`[a]\nsize=512\ninitiators=${list}\n`);
  assertMatch(
    stdout,
    /^ {2}initiators {2}"iqn\.2008-11\.org\.linux-kvm:web server 1"\n {14}"iqn\.2008-11\.org\.linux-kvm:vm\(1\)"$/m,
  );
  const { stdout: json } = await checkConf(`[a]\nsize=512\ninitiators=${list}\n`, "--json");
  assertEquals(JSON.parse(json).config.targets[0].initiators, [
    "iqn.2008-11.org.linux-kvm:web server 1",
    "iqn.2008-11.org.linux-kvm:vm(1)",
  ]);
});

/** Returns the lines of `paths`. */
async function pathsOf(interfaces: readonly InterfaceAddress[], conf: string): Promise<string> {
  const { stdout } = await checkConfAt(interfaces, conf);
  return stdout.match(/^ {2}paths {7}([^]*?)\n {2}initiators/m)![1]!.replaceAll(/\n +/g, "\n");
}

Deno.test("iscsi check prints how several cards become several paths", async () => {
  assertEquals(
    await pathsOf(INTERFACES, "[a]\nsize=512\n"),
    `only the address that discovery asks, one of these; to report
several as paths, list their networks in "networks"
192.168.1.7:3260
192.168.100.1:3260`,
  );
});

Deno.test("iscsi check does not ask for networks where there is one path only, or they are listed", async () => {
  const single = INTERFACES.filter(({ name }) => name !== "eth1");
  assertEquals(await pathsOf(single, "[a]\nsize=512\n"), "192.168.1.7:3260");
  const listed = "port=3261\nnetworks=192.168.1.7 192.168.100.0/24\n[a]\nsize=512\n";
  assertEquals(await pathsOf(INTERFACES, listed), "192.168.1.7:3261\n192.168.100.1:3261");
  assertEquals(await pathsOf(INTERFACES, "networks=192.168.100.0/24\n[a]\nsize=512\n"), "192.168.100.1:3260");
  assertEquals(await pathsOf([], "[a]\nsize=512\n"), "none at present");
});

Deno.test("iscsi check prints the number of CHAP names that are bound to initiators", () =>
  withScratch(async (folder) => {
    const [conf, secrets] = [join(folder, "conf"), join(folder, "secrets")];
    Deno.writeTextFileSync(secrets, "a not-for-showing iqn.2001-01.a:1\nb not-for-showing2\n", {
      mode: 0o600,
    });
    Deno.writeTextFileSync(conf, `[a]\nsize=512\nsecrets=${secrets}\nuser=c\nsecret=not-for-showing3\n`, {
      mode: 0o600,
    });
    const { stdout } = await runCommand(["check", "--conf", conf], folder);
    assertMatch(stdout, /^ {2}login {7}CHAP, 3 names, 1 of them bound to initiators$/m);
    const json = await runCommand(["check", "--json", "--conf", conf], folder);
    assertEquals(JSON.parse(json.stdout).config.targets[0].chap, { names: 3, bound: 1, mutual: false });
  }));

const NO_TEXTS = { vendor: null, product: null, revision: null, serialNumber: null };

Deno.test("iscsi check --json prints the same for programs", async () => {
  const { stdout, stderr, exitCode } = await checkConf(CONF, "--json");
  assertEquals([stderr, exitCode], ["", 0]);
  assertEquals(JSON.parse(stdout), {
    file: "/scratch/conf",
    diagnostics: [],
    config: {
      storage: "/data/iscsi",
      node: "iqn.2002-08.info.netmanager",
      port: 3260,
      metrics: null,
      sessions: 32,
      connections: 16,
      pingSeconds: 30,
      pingTimeoutSeconds: 30,
      chapMinimum: "md5",
      chap: null,
      targets: [
        {
          name: "xenserver",
          iscsiName: "iqn.2002-08.info.netmanager:xenserver",
          aliasIscsiName: null,
          comment: "xenserver",
          readOnly: false,
          networks: ["192.168.100.0/24"],
          initiators: ["iqn.2011-07.com.example:89abcdef", "iqn.2011-07.com.example:01234567"],
          chap: null,
          redirect: null,
          disk: {
            blockSizeBytes: 512,
            physicalBlockSizeBytes: 4096,
            removable: false,
            writeCache: true,
            ...NO_TEXTS,
          },
          logicalUnits: [
            { number: 0, path: "/data/iscsi/xenserver", sizeBytes: 750 * 2 ** 30, naa: null },
            { number: 1, path: "/data/iscsi/xenserver_1", sizeBytes: 500 * 2 ** 20, naa: null },
          ],
          paths: [{ network: "192.168.100.0/24", portals: ["192.168.100.1:3260"] }],
        },
        {
          name: "backup",
          iscsiName: "iqn.2002-08.info.netmanager:backup",
          aliasIscsiName: "iqn.2002-08.info.netmanager:old-backup",
          comment:
            "The backups of the whole house, which are written every night at two o'clock and read never",
          readOnly: true,
          networks: ["fd00:1::/64", "10.0.0.1"],
          initiators: ["iqn.2011-07.com.example:backup"],
          chap: { names: 1, bound: 0, mutual: false },
          redirect: { targetAddress: "10.0.0.9:3260", isPermanent: true },
          disk: {
            blockSizeBytes: 4096,
            physicalBlockSizeBytes: 4096,
            removable: true,
            writeCache: false,
            ...NO_TEXTS,
            vendor: "ACME",
            serialNumber: "OLD-1",
          },
          logicalUnits: [{ number: 0, path: "/mnt/backup/disk", sizeBytes: 1.5 * 2 ** 40, naa: null }],
          paths: [{ network: "fd00:1::/64", portals: [] }, { network: "10.0.0.1", portals: [] }],
        },
      ],
    },
  });
});

Deno.test("iscsi check reports every error of a conf and exits with 3", async () => {
  const conf = "[a]\nsize=12XB\nnetwroks=10.0.0.0/8\n";
  const { stdout, stderr, exitCode } = await checkConf(conf);
  assertEquals([stdout, exitCode], ["", 3]);
  assertMatch(stderr, /^\/scratch\/conf:2: .*12XB.*\n\/scratch\/conf:3: .*netwroks.*networks.*\n$/);
  const json = await checkConf(conf, "--json");
  assertEquals([json.stderr, json.exitCode], [stderr, 3]);
  const { config, diagnostics } = JSON.parse(json.stdout);
  assertEquals(config, null);
  assertEquals(
    diagnostics.map(({ severity, line }: { severity: string; line: number }) => [severity, line]),
    [
      ["error", 2],
      ["error", 3],
    ],
  );
});

Deno.test("iscsi check prints warnings and succeeds", async () => {
  const { stdout, stderr, exitCode } = await checkConf("[A]\nsize=1GB\nnetworks=127.0.0.1\n");
  assertMatch(stderr, /^\/scratch\/conf:1: warning: .*\n$/);
  assertMatch(stdout, /^Target {8}iqn\.2002-08\.info\.netmanager:a$/m);
  assertEquals(exitCode, 0);
});

Deno.test("iscsi check and build warn once of all targets that everyone may use", async () => {
  const names = Array.from({ length: 50 }, (_, index) => `t${index}`);
  const closed = "[closed]\nsize=1MB\nnetworks=10.0.0.0/8\n";
  await withScratch(async (folder) => {
    const conf = join(folder, "conf");
    const open = names.map((name) => `[${name}]\nsize=1MB\n`).join("");
    Deno.writeTextFileSync(conf, `storage=${folder}/s\n${closed}${open}`);
    const message =
      /^Any machine that reaches \S.* can read and overwrite \[t0\], \[t1\], \[t2\] and 47 more: set /;
    for (const args of [["check"], ["build", "--dry-run"], ["build"]]) {
      const { stderr, exitCode } = await runCommand([...args, "--conf", conf], folder);
      assertEquals(exitCode, 0);
      const [warning, ...more] = stderr.split("\n").filter((line) => !line.startsWith("iscsi: No server"));
      assertMatch(warning!.replace("/scratch/conf:5: warning: ", ""), message);
      assertEquals(more, [""]);
      const json = await runCommand([...args, "--json", "--conf", conf], folder);
      const { diagnostics } = JSON.parse(json.stdout);
      assertEquals(diagnostics.length, 1);
      assertEquals([diagnostics[0].severity, diagnostics[0].line], ["warning", 5]);
      assertMatch(diagnostics[0].message, message);
    }
  });
});

Deno.test("commands without a conf print the remedy and exit with 1", async () => {
  await withScratch(async (folder) => {
    const message =
      'Cannot read "/scratch/none": it does not exist; create it, or name another with --conf FILE';
    for (const { name, options, arguments: args, isServer } of COMMANDS) {
      if (!options.includes("conf")) continue;
      const line = [
        name,
        ...Array.from({ length: args?.min ?? 0 }, () => args?.words?.at(-1) ?? "x"),
        "--conf",
        join(folder, "none"),
      ];
      assertEquals(await runCommand(line, folder), {
        stdout: "",
        stderr: `iscsi: ${message}\n`,
        exitCode: 1,
      });
      const json = await runCommand([...line, "--json"], folder);
      // The log of a server is JSON, too.
      const stderr = isServer === true ? JSON.parse(json.stderr).message : json.stderr;
      assertEquals([stderr, json.exitCode], [isServer === true ? message : `iscsi: ${message}\n`, 1], name);
      assertEquals(JSON.parse(json.stdout), { error: { exitCode: 1, message, diagnostics: [] } }, name);
    }
  });
});

Deno.test("commands refuse a conf that is too large, a folder, a pipe or a device, and do not block", async () => {
  await withScratch(async (folder) => {
    await runToolOk("mkfifo", [join(folder, "pipe")]);
    Deno.symlinkSync("loop", join(folder, "loop"));
    Deno.writeTextFileSync(join(folder, "huge"), "");
    Deno.truncateSync(join(folder, "huge"), 17 * 1024 ** 2);
    const rows = [
      [folder, "it is a folder; name a file"],
      [join(folder, "pipe"), "it is a pipe, a socket or a device; name a file"],
      ["/dev/zero", "it is a pipe, a socket or a device; name a file"],
      [join(folder, "huge"), "it is 17 MB; the limit is 16 MB"],
      [
        join(folder, "loop"),
        `Too many levels of symbolic links (os error 40): stat '${join(folder, "loop")}'; fix the circular ` +
        "symbolic links",
      ],
    ] as const;
    for (const [path, problem] of rows) {
      const message = `Cannot read "${path}": ${problem}`;
      const { stderr, exitCode } = await runCommand(["check", "--conf", path]);
      assertEquals([stderr, exitCode], [`iscsi: ${message}\n`, 1]);
      assertThrows(() => parseFile(path), Error, message);
    }
  });
});
