import { assertEquals, assertStringIncludes } from "@std/assert";
import { runHelper } from "../../lib/provision/run_helper.ts";
import { findSysfsObstacle, testUnless } from "../support/obstacles.ts";

testUnless(findSysfsObstacle(), "runHelper() returns the output of a helper, in English", () => {
  const { success, stdout, stderr } = runHelper("lsblk", ["/nowhere"]);
  assertEquals([success, stdout], [false, ""]);
  assertStringIncludes(stderr, "not a block device");
  assertEquals(stderr.endsWith("\n"), false);
  assertEquals(runHelper("mknod", ["--version"]).success, true);
});

Deno.test("runHelper() names the package of a helper that is not there, or that it has no right to run", async () => {
  const module = JSON.stringify(import.meta.resolve("../../lib/provision/run_helper.ts"));
  const script = `import { runHelper } from ${module};
    try { runHelper("mknod", []); } catch (error) { console.log(error.name, error.message); }`;
  const cases: readonly (readonly [rights: string, env: Record<string, string>])[] = [
    ["--allow-run=lsblk", { PATH: "/nowhere" }],
    ["--allow-run", { PATH: "/nowhere" }],
    ["--allow-run=lsblk", {}],
  ];
  for (const [rights, env] of cases) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", rights, `data:text/typescript,${encodeURIComponent(script)}`],
      env,
    }).output();
    const message = 'ProvisionError Cannot run "mknod": is it installed (package coreutils)?\n';
    assertEquals(new TextDecoder().decode(stdout), message, rights);
  }
});
