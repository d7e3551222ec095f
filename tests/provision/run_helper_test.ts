import { assertEquals, assertStringIncludes } from "@std/assert";
import denoConfig from "../../deno.json" with { type: "json" };
import { HELPER_FOLDERS, HELPER_NAMES, runHelper } from "../../lib/provision/run_helper.ts";
import { runScript } from "../support/run_script.ts";
import { findSysfsObstacle, testUnless } from "../support/obstacles.ts";

testUnless(findSysfsObstacle(), "runHelper() returns the output of a helper, in English", () => {
  const { success, stdout, stderr } = runHelper("lsblk", ["/nowhere"]);
  assertEquals([success, stdout], [false, ""]);
  assertStringIncludes(stderr, "not a block device");
  assertEquals(stderr.endsWith("\n"), false);
  assertEquals(runHelper("mknod", ["--version"]).success, true);
});

/** Runs code with `runHelper` in a process of its own, and returns what it prints. */
function runWith(rights: string, code: string, wrapper: readonly string[] = []): Promise<string> {
  const script = `import { runHelper } from "lib/provision/run_helper.ts";
    try { console.log(${code}); } catch (error) { console.log(error.name, error.message); }`;
  return runScript(script, { rights: [rights], wrapper });
}

function runRights(name: string): string {
  return `--allow-run=${inEveryFolder(name).join(",")}`;
}

Deno.test("runHelper() names the package of a helper that it cannot run", async () => {
  const message = 'ProvisionError Cannot run "mknod": is it installed (package coreutils)?\n';
  assertEquals(await runWith(runRights("lsblk"), 'runHelper("mknod", [])'), message);
});

Deno.test("runHelper() needs nothing of the environment, and passes nothing of it on", async () => {
  const code =
    'runHelper("flock", ["/", "env"]).stdout.split("\\n").map((line) => line.split("=")[0]).sort().join()';
  const wrapper = ["/usr/bin/env", "-i", "LD_LIBRARY_PATH=/nowhere", "LC_ALL=de_DE", "PATH=/nowhere"];
  assertEquals(await runWith(runRights("flock"), code), ",LC_ALL,PATH\n");
  assertEquals(await runWith(runRights("flock"), code, wrapper), ",LC_ALL,PATH\n");
});

Deno.test("the tasks have the right to run every helper in every folder, and no other program", () => {
  const { iscsi, demo } = denoConfig.tasks;
  assertEquals(runList(iscsi), HELPER_NAMES.flatMap(inEveryFolder));
  const forDemo = HELPER_NAMES.filter((name) =>
    !["losetup", "lsblk", "mknod", "systemd-notify"].includes(name)
  );
  assertEquals(runList(demo), forDemo.flatMap(inEveryFolder));
});

function inEveryFolder(name: string): string[] {
  return HELPER_FOLDERS.map((folder) => `${folder}/${name}`);
}

function runList(task: string): string[] {
  return /--allow-run=(\S+)/.exec(task)![1]!.split(",");
}
