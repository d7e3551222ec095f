import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { StorageLock } from "../../lib/provision/storage_lock.ts";
import { snapshot, withScratch } from "../provision/scratch.ts";
import { type CommandRun, runCommand } from "./command_run.ts";

/** Writes a conf whose storage is the folder `s`, and builds it. */
function buildConf(
  folder: string,
  lines: readonly string[],
  ...args: readonly string[]
): Promise<CommandRun> {
  const conf = join(folder, "conf");
  Deno.writeTextFileSync(conf, [`storage=${folder}/s`, ...lines, ""].join("\n"));
  return runCommand(["build", "--conf", conf, ...args], folder);
}

const LINES = ["[a]", "size=2MB 1MB", "[b]", "size=512"];

const NO_SERVER = 'No server is running on "/scratch/s"\n';

const NEXT_STEP = 'iscsi: No server is running on "/scratch/s": run "iscsi serve --conf /scratch/conf", or ' +
  '"systemctl start iscsi" where its unit is installed\n';

const FIRST_STEPS = `STEP               PROMISED   ALLOCATED  PATH
create folder                            /scratch/s
create folder                            /scratch/s/.iscsi
record                                   /scratch/s/.iscsi/identities.json (3 new identities)
create                 2 MB     0 bytes  /scratch/s/a
create                 1 MB     0 bytes  /scratch/s/a_1
create            512 bytes     0 bytes  /scratch/s/b
total             3072.5 KB     0 bytes  3 LUNs
`;

Deno.test("iscsi build prints each step and the totals, and the second time nothing to do", async () => {
  await withScratch(async (folder) => {
    const dry = await buildConf(folder, LINES, "--dry-run");
    assertEquals(dry, {
      stdout: `${FIRST_STEPS}Dry run: nothing was done\n${NO_SERVER}`,
      stderr: "",
      exitCode: 0,
    });
    assertEquals(Object.keys(snapshot(folder)), ["conf"]);
    assertEquals(await buildConf(folder, LINES), {
      stdout: FIRST_STEPS,
      stderr: NEXT_STEP,
      exitCode: 0,
    });
    const before = snapshot(folder);
    assertEquals(await buildConf(folder, LINES), {
      stdout: `STEP               PROMISED   ALLOCATED  PATH
keep                   2 MB     0 bytes  /scratch/s/a
keep                   1 MB     0 bytes  /scratch/s/a_1
keep              512 bytes     0 bytes  /scratch/s/b
total             3072.5 KB     0 bytes  3 LUNs
All files are as the conf says
`,
      stderr: NEXT_STEP,
      exitCode: 0,
    });
    assertEquals(snapshot(folder), before);
  });
});

Deno.test("iscsi build shows what grows and what is no longer used", async () => {
  await withScratch(async (folder) => {
    await buildConf(folder, LINES);
    const { stdout } = await buildConf(folder, ["[a]", "size=4MB"]);
    assertEquals(
      stdout,
      `STEP               PROMISED   ALLOCATED  PATH
grow                   4 MB     0 bytes  /scratch/s/a (from 2 MB)
no longer used         1 MB     0 bytes  /scratch/s/a_1
no longer used    512 bytes     0 bytes  /scratch/s/b
total                  4 MB     0 bytes  1 LUN
`,
    );
  });
});

Deno.test("iscsi build --json prints the same for programs", async () => {
  await withScratch(async (folder) => {
    const first = await buildConf(folder, ["[a]", "size=2MB"], "--json");
    assertEquals([first.stderr, first.exitCode], ["", 0]);
    assertEquals(JSON.parse(first.stdout), {
      file: "/scratch/conf",
      diagnostics: [],
      dryRun: false,
      changed: true,
      steps: [
        { kind: "createFolder", path: "/scratch/s" },
        { kind: "createFolder", path: "/scratch/s/.iscsi" },
        { kind: "recordIdentities", path: "/scratch/s/.iscsi/identities.json", added: ["/scratch/s/a"] },
        { kind: "createFile", path: "/scratch/s/a", sizeBytes: 2 ** 21, allocatedBytes: 0 },
      ],
      promisedBytes: 2 ** 21,
      allocatedBytes: 0,
      live: null,
    });
    Deno.writeTextFileSync(join(folder, "s/a"), "x".repeat(2 ** 21));
    const { blocks } = Deno.statSync(join(folder, "s/a"));
    const allocatedBytes = blocks! * 512;
    const dry = JSON.parse((await buildConf(folder, ["[a]", "size=4MB"], "--json", "--dry-run")).stdout);
    const { dryRun, changed, promisedBytes } = dry;
    assertEquals([dryRun, changed, promisedBytes, dry.allocatedBytes], [
      true,
      false,
      2 ** 22,
      allocatedBytes,
    ]);
    assertEquals(dry.steps, [
      { kind: "growFile", path: "/scratch/s/a", fromBytes: 2 ** 21, sizeBytes: 2 ** 22, allocatedBytes },
    ]);
  });
});

Deno.test("iscsi build reports all that is wrong with the disk, changes nothing and exits with 1", async () => {
  await withScratch(async (folder) => {
    Deno.mkdirSync(join(folder, "s/a"), { recursive: true });
    Deno.writeFileSync(join(folder, "s/b"), new Uint8Array(1024));
    const lines = ["[a]", "size=512", "[b]", "size=512", "[c]", "size=512"];
    const text = await buildConf(folder, lines);
    assertEquals(text.stdout, "");
    assertEquals(text.exitCode, 1);
    assertEquals(
      text.stderr,
      '/scratch/conf:3: Cannot use "/scratch/s/a" as a backing file: it is a folder; set "file" to the path of a ' +
        'file\n/scratch/conf:5: Cannot use "/scratch/s/b" for size 512 bytes (512 bytes): the file has 1 KB (1024 ' +
        'bytes), and files are never shrunk; raise "size" or set "file" to another one\n' +
        "iscsi: Nothing was changed\n",
    );
    assertEquals([...Deno.readDirSync(join(folder, "s"))].length, 2);
    const json = await buildConf(folder, lines, "--json");
    assertEquals([json.stderr, json.exitCode], [text.stderr, 1]);
    const { diagnostics, steps, changed } = JSON.parse(json.stdout);
    assertEquals(diagnostics.map(({ line }: { line: number }) => line), [3, 5]);
    assertEquals([steps, changed], [[], false]);
  });
});

Deno.test("iscsi build of a conf with errors changes nothing and exits with 3", async () => {
  await withScratch(async (folder) => {
    const text = await buildConf(folder, ["[a]", "siez=1GB"]);
    assertEquals([text.stdout, text.exitCode], ["", 3]);
    assertMatch(text.stderr, /^\/scratch\/conf:\d: /);
    assertEquals(Object.keys(snapshot(folder)), ["conf"]);
    const json = await buildConf(folder, ["[a]", "siez=1GB"], "--json");
    assertEquals([json.stderr, json.exitCode], [text.stderr, 3]);
    assertEquals(JSON.parse(json.stdout).diagnostics[0].severity, "error");
  });
});

Deno.test("iscsi build warns when more is promised than the disk has", async () => {
  await withScratch(async (folder) => {
    const { stdout, stderr, exitCode } = await buildConf(folder, ["[a]", "size=8000TB"], "--dry-run");
    const promise =
      'More is promised than the file system of "/scratch/s/a" has: its LUNs may yet take 8000 TB';
    assertEquals(stderr.slice(0, stderr.indexOf(", and")), `/scratch/conf:3: warning: ${promise}`);
    assertMatch(stderr, /, and [\d.]+ [A-Z]+ are free\n$/);
    assertMatch(stdout, /^create +8000 TB +0 bytes {2}\/scratch\/s\/a$/m);
    assertEquals(exitCode, 0);
  });
});

Deno.test("iscsi build fails when a running server takes no requests", async () => {
  await withScratch(async (folder) => {
    await buildConf(folder, LINES);
    const held = await StorageLock.acquire(join(folder, "s/.iscsi"), "serve");
    assert("lock" in held);
    const { stderr, exitCode } = await buildConf(folder, [...LINES, "[c]", "size=512"]);
    assertEquals(
      stderr,
      `iscsi: The server running on "/scratch/s" (pid ${Deno.pid}) keeps its configuration:\n` +
        'No server listens at "/scratch/s/.iscsi/control"\n',
    );
    assertEquals(exitCode, 1);
    const json = JSON.parse((await buildConf(folder, LINES, "--json")).stdout);
    const error = json.live.error.replace(folder, "/scratch");
    assertEquals([json.live.pid, error], [Deno.pid, 'No server listens at "/scratch/s/.iscsi/control"']);
    held.lock.release();
    assertEquals((await buildConf(folder, LINES)).stderr, NEXT_STEP);
  });
});

Deno.test("iscsi build is refused while another one runs", async () => {
  await withScratch(async (folder) => {
    await buildConf(folder, LINES);
    const held = await StorageLock.acquire(join(folder, "s/.iscsi"), "build");
    assert("lock" in held);
    const { stderr, exitCode } = await buildConf(folder, [...LINES, "[c]", "size=512"]);
    assertEquals(exitCode, 1);
    assertMatch(
      stderr,
      /^iscsi: Cannot build in .*another "iscsi build" is running \(pid \d+\); wait for it\n$/,
    );
    held.lock.release();
  });
});

Deno.test("iscsi build shows on a terminal how much there is to do yet, and takes it away again", async () => {
  await withScratch(async (folder) => {
    const conf = join(folder, "conf");
    Deno.writeTextFileSync(conf, [`storage=${folder}/s`, ...LINES, ""].join("\n"));
    const { stdout, stderr } = await runCommand(["build", "--conf", conf], folder, { showsProgress: true });
    assertEquals(stdout, FIRST_STEPS);
    const shown = stderr.split("\r\x1b[K").filter((text) => text !== "");
    assertEquals(shown, ["1 more step", "3 more steps", "2 more steps", "1 more step", NEXT_STEP]);
    assert(stderr.endsWith(`\r\x1b[K${NEXT_STEP}`));
  });
});
