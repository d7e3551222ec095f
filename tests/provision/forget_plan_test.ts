import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { findForgettable, planForget } from "../../lib/provision/forget_plan.ts";
import { provision } from "../../lib/provision/provision.ts";
import { StorageLock } from "../../lib/provision/storage_lock.ts";
import { stateFolderOf } from "../../lib/provision/state_folder.ts";
import { testWithTools } from "../support/tools.ts";
import { configOf } from "./conf.ts";
import { withScratch } from "./scratch.ts";

/** A storage folder whose conf names `a`, and no longer `b` and `out`, which is elsewhere. */
async function makeStorage(folder: string): Promise<{ storage: string; confLines: readonly string[] }> {
  const storage = join(folder, "s");
  const confLines = [`storage=${storage}`, "[a]", "size=1MB"];
  await provision(
    configOf(...confLines, "[b]", "size=1MB", "[out]", "size=1MB", `file=${join(folder, "out")}`),
  );
  return { storage, confLines };
}

Deno.test("planForget() finds unused files by every path that leads to them", () =>
  withScratch(async (folder) => {
    const { storage, confLines } = await makeStorage(folder);
    Deno.symlinkSync(storage, join(folder, "other-name"));
    const config = configOf(...confLines);
    for (const name of ["b", join(storage, "b"), "../s/b", `${storage}/./b`]) {
      const { files, problems } = planForget(config, [name]);
      assertEquals(
        [problems, files.map(({ path, key }) => [path, key])],
        [[], [[join(storage, "b"), "b"]]],
        name,
      );
    }
    assertEquals(planForget(config, ["b", join(storage, "b")]).files.length, 1);
    assertEquals(findForgettable(config), ["b"]);
    const renamed = configOf(...confLines.with(0, `storage=${join(folder, "other-name")}`));
    assertEquals(planForget(renamed, ["b"]).problems, []);
  }));

Deno.test("planForget() takes a file that is missing already: its identity is left", () =>
  withScratch(async (folder) => {
    const { storage, confLines } = await makeStorage(folder);
    Deno.removeSync(join(storage, "b"));
    const { files, problems } = planForget(configOf(...confLines), ["b"]);
    assertEquals([problems, files], [
      [],
      [{ path: join(storage, "b"), key: "b", sizeBytes: null, allocatedBytes: null }],
    ]);
  }));

Deno.test("planForget() refuses everything but an unused backing file in the storage folder", () =>
  withScratch(async (folder) => {
    const { storage, confLines } = await makeStorage(folder);
    Deno.linkSync(join(storage, "a"), join(storage, "a-too"));
    Deno.symlinkSync("b", join(storage, "link"));
    Deno.writeTextFileSync(join(storage, "stranger"), "");
    Deno.mkdirSync(join(storage, "folder"));
    Deno.symlinkSync(folder, join(storage, "up"));
    const config = configOf(...confLines);
    const rows: readonly (readonly [string, RegExp])[] = [
      ["a", /^it is LUN 0 of \[a\]; remove that from the conf first$/],
      ["a-too", /^it is LUN 0 of \[a\]/],
      ["link", /^it is a symbolic link, and only files are deleted$/],
      ["stranger", /^"iscsi build" did not make it$/],
      ["folder", /^it is not a file$/],
      [".", /^it is not a file$/],
      [join(folder, "out"), /^it is not in the storage folder "[^"]+"; delete it by hand$/],
      ["up/out", /^it is not in the storage folder/],
      ["../missing", /^it is not in the storage folder/],
      ["/dev/null", /^it is a block device, and only files are deleted$/],
      ["bb", /^there is no such backing file; did you mean "b"\?$/],
      [".iscsi/identities.json", /^"iscsi build" did not make it$/],
    ];
    for (const [name, expected] of rows) {
      const { files, problems } = planForget(config, [name]);
      assertEquals(files, [], name);
      assertMatch(problems.join("\n").replace(/^Cannot forget "[^"]+": /, ""), expected, name);
    }
    assertEquals(planForget(config, rows.map(([name]) => name)).problems.length, rows.length);
  }));

Deno.test("planForget() reports identities that cannot be read", () =>
  withScratch(async (folder) => {
    const { storage, confLines } = await makeStorage(folder);
    Deno.writeTextFileSync(join(storage, ".iscsi/identities.json"), "{");
    const { files, problems } = planForget(configOf(...confLines), ["b"]);
    assertEquals(files, []);
    assertMatch(problems.join(), /^Cannot read ".*identities\.json": it is not JSON$/);
  }));

testWithTools(
  "planForget() refuses a file that a server has open, shared or not",
  ["flock", "lslocks"],
  () =>
    withScratch(async (folder) => {
      const { storage, confLines } = await makeStorage(folder);
      const config = configOf(...confLines);
      for (const kind of ["--exclusive", "--shared"]) {
        const holder = new Deno.Command("flock", {
          args: [kind, join(storage, "b"), "sh", "-c", "echo locked; cat"],
          stdin: "piped",
          stdout: "piped",
        }).spawn();
        const reader = holder.stdout.getReader();
        await reader.read();
        const [problem = ""] = planForget(config, ["b"]).problems;
        assertMatch(
          problem,
          /": process \d+ \(\w+\) has locked it, probably another server; stop that first$/,
        );
        await holder.stdin.close();
        await reader.cancel();
        await holder.status;
      }
      assertEquals(planForget(config, ["b"]).problems, []);
      const held = await StorageLock.acquire(stateFolderOf(storage), "serve");
      using _lock = "lock" in held ? held.lock : undefined;
      // Locks of one process conflict between its handles, too.
      using file = Deno.openSync(join(storage, "b"));
      file.lockSync(true);
      assertMatch(
        planForget(config, ["b"]).problems.join(),
        /: the running server still serves it; run "iscsi reload" first$/,
      );
    }),
);
