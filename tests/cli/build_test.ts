import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { parseFile } from "../../lib/cli/load_config.ts";
import { findExports } from "../../lib/provision/find_exports.ts";
import { StorageLock } from "../../lib/provision/storage_lock.ts";
import { snapshot, withScratch } from "../provision/scratch.ts";
import { type CommandRun, runCommand } from "./command_run.ts";

/** Writes a conf whose storage is the folder `s`, for loopback only, and builds it. The lines begin at line 3. */
function buildConf(
  folder: string,
  lines: readonly string[],
  ...args: readonly string[]
): Promise<CommandRun> {
  const conf = join(folder, "conf");
  Deno.writeTextFileSync(conf, [`storage=${folder}/s`, "networks=127.0.0.0/8", ...lines, ""].join("\n"));
  return runCommand(["build", "--conf", conf, ...args], folder);
}

const LINES = ["[a]", "size=2MB 1MB", "[b]", "size=0.5MB"];

const NO_SERVER = 'No server is running on "/scratch/s"\n';

const NEXT_STEP = 'iscsi: No server is running on "/scratch/s": run "iscsi serve --conf /scratch/conf", or ' +
  '"systemctl start iscsi" where its unit is installed\n';

const FIRST_STEPS = `STEP               PROMISED   ALLOCATED  PATH
create folder                            /scratch/s
create folder                            /scratch/s/.iscsi
record                                   /scratch/s/.iscsi/identities.json (3 new identities)
create                 2 MB     0 bytes  /scratch/s/a
create                 1 MB     0 bytes  /scratch/s/a_1
create               512 KB     0 bytes  /scratch/s/b
confirm                                  /scratch/s/.iscsi/identities.json (3 files)
total                3.5 MB     0 bytes  3 LUNs
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
keep                 512 KB     0 bytes  /scratch/s/b
total                3.5 MB     0 bytes  3 LUNs
Nothing to do
`,
      stderr: NEXT_STEP,
      exitCode: 0,
    });
    assertEquals(snapshot(folder), before);
  });
});

Deno.test("iscsi build shows growing and unused files", async () => {
  await withScratch(async (folder) => {
    await buildConf(folder, LINES);
    const { stdout } = await buildConf(folder, ["[a]", "size=4MB"]);
    assertEquals(
      stdout,
      `STEP               PROMISED   ALLOCATED  PATH
grow                   4 MB     0 bytes  /scratch/s/a (from 2 MB)
confirm                                  /scratch/s/.iscsi/identities.json (1 file)
no longer used         1 MB     0 bytes  /scratch/s/a_1
no longer used       512 KB     0 bytes  /scratch/s/b
total                  4 MB     0 bytes  1 LUN
2 unused files kept; "iscsi forget FILE" deletes one
`,
    );
    const again = await buildConf(folder, ["[a]", "size=4MB"]);
    assertEquals(again.stdout.includes("unused") || again.stdout.includes("no longer used"), false);
    assertEquals(again.stdout.split("\n").at(-2), "Nothing to do");
    const dry = await buildConf(folder, ["[a]", "size=4MB"], "--dry-run");
    assertMatch(dry.stdout, /^no longer used .* \/scratch\/s\/a_1$/m);
    const json = JSON.parse((await buildConf(folder, ["[a]", "size=4MB"], "--json")).stdout);
    assertEquals(json.steps.filter(({ kind }: { kind: string }) => kind === "keepUnusedFile").length, 2);
    // Another set is mentioned again.
    const fewer = await buildConf(folder, ["[a]", "size=4MB", "[b]", "size=0.5MB"]);
    assertMatch(fewer.stdout, /^no longer used .* \/scratch\/s\/a_1$/m);
    assertEquals(fewer.stdout.split("\n").at(-2), '1 unused file kept; "iscsi forget FILE" deletes one');
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
        { kind: "confirmFiles", path: "/scratch/s/.iscsi/identities.json", files: ["/scratch/s/a"] },
      ],
      failure: null,
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
      { kind: "confirmFiles", path: "/scratch/s/.iscsi/identities.json", files: ["/scratch/s/a"] },
    ]);
  });
});

Deno.test("iscsi build reports every fault of the disk, changes nothing and exits with 1", async () => {
  await withScratch(async (folder) => {
    Deno.mkdirSync(join(folder, "s/a"), { recursive: true });
    Deno.writeFileSync(join(folder, "s/b"), new Uint8Array(2 ** 20));
    const lines = ["[a]", "size=0.5MB", "[b]", "size=0.5MB", "[c]", "size=0.5MB"];
    const text = await buildConf(folder, lines);
    assertEquals(text.stdout, "");
    assertEquals(text.exitCode, 1);
    assertEquals(
      text.stderr,
      '/scratch/conf:4: Cannot use "/scratch/s/a" as a backing file: it is a folder; set "file" to the path of a ' +
        'file\n/scratch/conf:6: Cannot use "/scratch/s/b" for size 512 KB (524288 bytes): the file has 1 MB ' +
        '(1048576 bytes), and files are never shrunk; raise "size" or set "file" to another one\n' +
        "iscsi: Nothing was changed\n",
    );
    assertEquals([...Deno.readDirSync(join(folder, "s"))].length, 2);
    const json = await buildConf(folder, lines, "--json");
    assertEquals([json.stderr, json.exitCode], [text.stderr, 1]);
    const { diagnostics, steps, changed } = JSON.parse(json.stdout);
    assertEquals(diagnostics.map(({ line }: { line: number }) => line), [4, 6]);
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

Deno.test("iscsi build warns when LUNs may take more than the disk has", async () => {
  await withScratch(async (folder) => {
    const { stdout, stderr, exitCode } = await buildConf(
      folder,
      ["[a]", `size=${"8TB ".repeat(250)}`],
      "--dry-run",
    );
    assertMatch(
      stderr,
      new RegExp(
        "^/scratch/conf:4: warning: Overcommitted: LUNs may take 2000 TB, [\\d.]+ [A-Z]+ free " +
          "\\(thin provisioning\\)\n$",
      ),
    );
    assertMatch(stdout, /^total +2000 TB +0 bytes {2}250 LUNs$/m);
    assertEquals(exitCode, 0);
  });
});

Deno.test("iscsi build fails when a running server accepts no requests", async () => {
  await withScratch(async (folder) => {
    await buildConf(folder, LINES);
    const held = await StorageLock.acquire(join(folder, "s/.iscsi"), "serve");
    assert("lock" in held);
    const { stderr, exitCode } = await buildConf(folder, [...LINES, "[c]", "size=0.5MB"]);
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

Deno.test("iscsi build prints the finished steps after a failure, also as JSON", async () => {
  await withScratch(async (folder) => {
    const stop =
      'Cannot create "/scratch/s/b" with 512 KB: No space left on device (os error 28); free space or ' +
      "inodes (`df -i`) and run it again";
    const original = Deno.FsFile.prototype.truncateSync;
    try {
      Deno.FsFile.prototype.truncateSync = function (length): void {
        if (length === 2 ** 19) throw new Error("No space left on device (os error 28)");
        original.call(this, length);
      };
      const text = await buildConf(folder, LINES);
      assertEquals([text.stderr, text.exitCode], [`iscsi: ${stop}\n`, 1]);
      assertEquals(text.stdout, FIRST_STEPS.slice(0, FIRST_STEPS.indexOf("create               512")));
      for (const name of ["a", "a_1", "b"]) Deno.removeSync(join(folder, "s", name));
      const json = await buildConf(folder, LINES, "--json");
      assertEquals([json.stderr, json.exitCode], [`iscsi: ${stop}\n`, 1]);
      const { failure, changed, steps, live } = JSON.parse(json.stdout);
      assertEquals([failure, changed, live], [stop, true, null]);
      const done = steps.filter(({ kind }: { kind: string }) => kind === "createFile");
      assertEquals(done.map(({ path }: { path: string }) => path), ["/scratch/s/a", "/scratch/s/a_1"]);
    } finally {
      Deno.FsFile.prototype.truncateSync = original;
    }
    assertEquals((await buildConf(folder, LINES)).exitCode, 0);
  });
});

Deno.test("iscsi build --json reports that it cannot look for a server", async () => {
  await withScratch(async (folder) => {
    await buildConf(folder, LINES);
    Deno.mkdirSync(join(folder, "s/.iscsi/serve.lock"));
    const message = 'Cannot open lock "/scratch/s/.iscsi/serve.lock": it is not a file; remove it';
    for (const args of [[], ["--json"]]) {
      const { stdout, stderr, exitCode } = await buildConf(folder, LINES, ...args);
      assertEquals([stderr, exitCode], [`iscsi: ${message}\n`, 1]);
      if (args.length > 0) assertEquals(JSON.parse(stdout).failure, message);
    }
  });
});

Deno.test("iscsi build replaces a lost disk only with --force, by a new identity", async () => {
  await withScratch(async (folder) => {
    await buildConf(folder, LINES);
    const identities = join(folder, "s/.iscsi/identities.json");
    const before = JSON.parse(Deno.readTextFileSync(identities)).logicalUnits;
    Deno.removeSync(join(folder, "s/a"));
    const refused = await buildConf(folder, LINES);
    assertEquals([refused.stdout, refused.exitCode], ["", 1]);
    assertMatch(
      refused.stderr,
      /^\/scratch\/conf:4: Disk "\/scratch\/s\/a" is lost: .*, but on [\d-]{10} it had 2 MB /,
    );
    const forced = await buildConf(folder, LINES, "--force");
    assertEquals(forced.exitCode, 0);
    assertEquals(
      forced.stderr.split("\n")[0],
      '/scratch/conf:4: warning: Disk "/scratch/s/a" is lost; an empty disk with a new identity replaces it',
    );
    const words = forced.stdout.split("\n").map((line) => line.split("  ")[0]);
    assertEquals(words, ["STEP", "record", "create", "keep", "keep", "confirm", "total", ""]);
    const after = JSON.parse(Deno.readTextFileSync(identities)).logicalUnits;
    assertEquals([after.a_1, after.b], [before.a_1, before.b]);
    assert(after.a.naa !== before.a.naa && after.a.serialNumber !== before.a.serialNumber);
    assertEquals((await buildConf(folder, LINES)).exitCode, 0);
  });
});

Deno.test("iscsi build, check and serve refuse the same files for the same reason", async () => {
  await withScratch(async (folder) => {
    await buildConf(folder, LINES);
    const conf = join(folder, "conf");
    Deno.removeSync(join(folder, "s/b"));
    Deno.writeFileSync(join(folder, "s/zip"), new TextEncoder().encode("PK\x03\x04".padEnd(1024)));
    Deno.writeFileSync(join(folder, "s/foreign"), new Uint8Array(1024));
    const sections = ["[conf]", "size=1MB", `file=${conf}`, "[zip]", "size=1MB", "[foreign]", "size=1MB"];
    const built = await buildConf(folder, [...LINES, ...sections], "--dry-run");
    const lines = built.stderr.split("\n").slice(0, -2);
    assertEquals(lines.map((line) => Number(line.split(":")[1])), [6, 8, 11, 13]);
    const checked = await runCommand(["check", "--conf", conf], folder);
    assertEquals([built.exitCode, checked.exitCode], [1, 1]);
    assertEquals(checked.stderr, lines.map((line) => `${line}\n`).join(""));
    assertMatch(checked.stdout, /^Target {8}\S+:foreign$/m);
    const json = JSON.parse((await runCommand(["check", "--json", "--conf", conf], folder)).stdout);
    assertEquals(json.diagnostics.map(({ line }: { line: number }) => line), [6, 8, 11, 13]);
    assertEquals(json.config.targets.length, 5);
    const { unavailable } = findExports(parseFile(conf).config!);
    const reasons = [...unavailable.values()].map(({ reason }) => reason.replaceAll(folder, "/scratch"));
    assertEquals(reasons, lines.map((line) => line.slice(line.indexOf(": ") + 2)));
  });
});

Deno.test("iscsi build is refused while another one runs", async () => {
  await withScratch(async (folder) => {
    await buildConf(folder, LINES);
    const held = await StorageLock.acquire(join(folder, "s/.iscsi"), "build");
    assert("lock" in held);
    const { stderr, exitCode } = await buildConf(folder, [...LINES, "[c]", "size=0.5MB"]);
    assertEquals(exitCode, 1);
    assertMatch(
      stderr,
      /^iscsi: Cannot build in .*another "iscsi build" or "iscsi forget" is running \(pid \d+\); wait for it\n$/,
    );
    held.lock.release();
  });
});

Deno.test("iscsi build shows its progress on a terminal, and clears it", async () => {
  await withScratch(async (folder) => {
    const conf = join(folder, "conf");
    Deno.writeTextFileSync(conf, [`storage=${folder}/s`, "networks=127.0.0.0/8", ...LINES, ""].join("\n"));
    const { stdout, stderr } = await runCommand(["build", "--conf", conf], folder, { showsProgress: true });
    assertEquals(stdout, FIRST_STEPS);
    const shown = stderr.split("\r\x1b[K").filter((text) => text !== "");
    const left = ["1 more step", "4 more steps", "3 more steps", "2 more steps", "1 more step"];
    assertEquals(shown, [...left, NEXT_STEP]);
    assert(stderr.endsWith(`\r\x1b[K${NEXT_STEP}`));
  });
});
