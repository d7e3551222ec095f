import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { compileArguments, explainFailure, permissionFlags } from "../../dist/compile.ts";
import denoConfig from "../../deno.json" with { type: "json" };

Deno.test("permissionFlags() takes the rights of a task and nothing else", () => {
  const task = "deno run --quiet --no-prompt --allow-read --allow-sys=a,b main.ts --allowed";
  assertEquals(permissionFlags(task), ["--no-prompt", "--allow-read", "--allow-sys=a,b"]);
});

Deno.test("the compiled program has the rights of the task, and not all", () => {
  const rights = permissionFlags();
  assert(rights.length > 0 && !rights.includes("--allow-all"), rights.join(" "));
  for (const right of rights) assertStringIncludes(denoConfig.tasks.iscsi, right);
  for (const right of rights) assert(compileArguments().includes(right));
});

Deno.test("every file that compileArguments() names is there", () => {
  const files = compileArguments().filter((argument) => argument.endsWith(".ts"));
  assertEquals(files.length >= 2, true);
  for (const file of files) {
    assert(Deno.statSync(fromFileUrl(new URL(`../../${file}`, import.meta.url))).isFile, file);
  }
});

Deno.test("explainFailure() names DENORT_BIN when the base cannot be had, and only then", () => {
  const failure =
    "error: Writing deno compile executable\nCaused by:\n  0: Setting up base binary.\n  1: dns error";
  const explanation = explainFailure(failure);
  assertStringIncludes(explanation!, "DENORT_BIN");
  assertStringIncludes(explanation!, Deno.version.deno);
  assertEquals(explainFailure("error: Module not found"), undefined);
});
