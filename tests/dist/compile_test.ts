import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { basename, fromFileUrl, join } from "@std/path";
import {
  bundleArguments,
  compileArguments,
  explainFailure,
  findProblem,
  PARTS,
  permissionFlags,
  withoutPackageFolder,
} from "../../dist/compile.ts";
import { MACHINE_NAMES, NPM_BASE, thisMachine } from "../../dist/machines.ts";
import { elfHead } from "./elf_head.ts";
import denoConfig from "../../deno.json" with { type: "json" };

Deno.test("permissionFlags() returns the rights of a task and nothing else", () => {
  const task = "deno run --quiet --no-prompt --allow-read --allow-sys=a,b main.ts --allowed";
  assertEquals(permissionFlags(task), ["--no-prompt", "--allow-read", "--allow-sys=a,b"]);
});

Deno.test("the compiled program has the rights of the task, and not all", () => {
  const rights = permissionFlags();
  assert(rights.length > 0 && !rights.includes("--allow-all"), rights.join(" "));
  for (const right of rights) assertStringIncludes(denoConfig.tasks.iscsi, right);
  for (const right of rights) assert(compileArguments({ folder: "/tmp/x" }).includes(right));
});

Deno.test("every part of the program is there, is bundled, and is compiled from where that puts it", () => {
  assert(PARTS.length >= 2);
  for (const part of PARTS) {
    assert(Deno.statSync(fromFileUrl(new URL(`../../${part}`, import.meta.url))).isFile, part);
    const bundling = bundleArguments(part, "/tmp/x");
    const isSplit = bundling.includes("--code-splitting");
    const output = bundling[bundling.indexOf(isSplit ? "--outdir" : "--output") + 1]!;
    const bundled = isSplit ? join(output, basename(part, ".ts") + ".js") : output;
    assert(bundled.startsWith("/tmp/x/"), bundled);
    assert(compileArguments({ folder: "/tmp/x" }).includes(bundled), part);
  }
});

Deno.test("the parts of the program are all that it starts by URL, beside their caller", async () => {
  const lib = fromFileUrl(new URL("../../lib", import.meta.url));
  const started: string[] = [];
  for await (const path of filesBelow(lib)) {
    const source = await Deno.readTextFile(path);
    const starts = source.matchAll(/new URL\("([^"]*)", import\.meta\.url\)/g);
    started.push(...starts.map(([, address]) => address!));
  }
  assertEquals(started.sort(), PARTS.slice(1).map((part) => `./${basename(part)}`).sort());
});

Deno.test("the compiled program has no code cache", () => {
  assert(compileArguments({ folder: "/tmp/x" }).includes("--no-code-cache"));
});

Deno.test("explainFailure() names DENORT_BIN when the base cannot be downloaded, and only then", () => {
  const failure =
    "error: Writing deno compile executable\nCaused by:\n  0: Setting up base binary.\n  1: dns error";
  const explanation = explainFailure(failure);
  assertStringIncludes(explanation!, "DENORT_BIN");
  assertStringIncludes(explanation!, Deno.version.deno);
  assertEquals(explainFailure("error: Module not found"), undefined);
});

Deno.test("explainFailure() has the way to a base where only npm can be reached, for the machine", () => {
  for (const machine of MACHINE_NAMES) {
    const explanation = explainFailure("error: base binary", machine)!;
    assertStringIncludes(explanation, `npm pack ${NPM_BASE.packages[machine]}`);
    assertStringIncludes(explanation, `npx -y deno@${NPM_BASE.deno} task compile`);
  }
});

Deno.test("CI compiles with the bases that the messages name, and README.md names one", () => {
  const [ci, readme] = [".ci/run", "README.md"].map((path) =>
    Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url))
  );
  for (const name of Object.values(NPM_BASE.packages)) assertStringIncludes(ci!, name);
  for (const text of [NPM_BASE.deno, NPM_BASE.file]) assertStringIncludes(ci!, text);
  for (const text of [NPM_BASE.packages.x86_64, `deno@${NPM_BASE.deno} task compile`]) {
    assertStringIncludes(readme!, text);
  }
});

Deno.test("findProblem() accepts a program that prints its version, for this machine", async () => {
  const path = Deno.makeTempFileSync();
  try {
    const script = (text: string): void => Deno.writeTextFileSync(path, `#!/bin/sh\n${text}\n`);
    script("");
    assertMatch(await findProblem(path, thisMachine()) ?? "", /another system, not for/);
    const other = MACHINE_NAMES.find((name) => name !== thisMachine())!;
    Deno.writeFileSync(path, elfHead(other));
    assertEquals(await findProblem(path, other), undefined);
    assertMatch(await findProblem(path, thisMachine()) ?? "", new RegExp(`is for ${other}, not for`));
    // A program of this machine that is no program of this project: a base of another version fails like this.
    Deno.copyFileSync("/bin/true", path);
    assertMatch(await findProblem(path, thisMachine()) ?? "", /does not start/);
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("withoutPackageFolder() removes the place of packages from names, and nothing else", () => {
  const name = "npm/deno-std/1.4.0/path/join.js";
  for (const folder of ["../../../root/.cache/deno/", "../.deno/"]) {
    const bundle = `// ${folder}npm/registry.npmjs.org/deno-std/1.4.0/path/join.js\nconst a = "../npm";`;
    assertEquals(withoutPackageFolder(bundle), `// ${name}\nconst a = "../npm";`);
  }
});

Deno.test("explainFailure() names esbuild when npm cannot be reached", () => {
  const failure = "error: failed to download esbuild package tarball @esbuild/linux-x64@0.25.5";
  assertStringIncludes(explainFailure(failure)!, "NPM_CONFIG_REGISTRY");
});

async function* filesBelow(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* filesBelow(join(folder, name));
    else yield join(folder, name);
  }
}
