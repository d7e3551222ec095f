/**
 * Makes `dist/iscsi`, the one file that goes onto an appliance: `deno task compile`.
 *
 * The program and each of its workers first become one module each (`deno bundle`): to load hundreds of small ones took
 * a third of the time from the start to `ready`. `deno compile` then puts them behind a base, a runtime of the same
 * version, which it downloads unless `DENORT_BIN` names one.
 */
import { basename, fromFileUrl, join } from "@std/path";
import denoConfig from "../deno.json" with { type: "json" };

const ROOT = fromFileUrl(new URL("../", import.meta.url));
const OUTPUT = "dist/iscsi";

const PROGRAM = "main.ts";

/** What the program starts by its address, where neither `deno bundle` nor `deno compile` sees it. */
const WORKERS = [
  "lib/server/target_worker.ts",
  "lib/server/relay/relay_worker.ts",
  "lib/server/metrics_worker.ts",
];

/** What has to become one module each. */
export const PARTS: readonly string[] = [PROGRAM, ...WORKERS];

/** The rights of the program: those that the task `iscsi` runs it with, so that the two cannot differ. */
export function permissionFlags(task: string = denoConfig.tasks.iscsi): string[] {
  return task.split(" ").filter((word) => word.startsWith("--allow-") || word === "--no-prompt");
}

/** Where in a folder a part is as one module: whoever starts a worker looks for it beside himself. */
function bundleOf(part: string, folder: string): string {
  return join(folder, basename(part));
}

/** The arguments of `deno` that make a part of the program one module. */
export function bundleArguments(part: string, folder: string): string[] {
  return ["bundle", "--quiet", "--platform", "deno", "--output", bundleOf(part, folder), part];
}

/**
 * The arguments of `deno` that compile the modules in a folder. The types have been checked where they were. A cache of
 * machine code would be a file in the temporary folder: whoever puts one there first would have his own code run.
 */
export function compileArguments(folder: string): string[] {
  const unstable = denoConfig.unstable.map((feature) => `--unstable-${feature}`);
  const includes = WORKERS.flatMap((worker) => ["--include", bundleOf(worker, folder)]);
  return [
    ...["compile", "--quiet", "--no-config", "--no-check", "--no-code-cache"],
    ...unstable,
    ...permissionFlags(),
    ...includes,
    ...["--output", OUTPUT, bundleOf(PROGRAM, folder)],
  ];
}

/** What to do about a failure, where we know: something could not be had. */
export function explainFailure(stderr: string): string | undefined {
  const { deno } = Deno.version;
  if (/download esbuild/i.test(stderr)) {
    return `
"deno bundle" fetches esbuild from npm when it is first used, and cannot have it. Run this once where npm can be reached
(NPM_CONFIG_REGISTRY names a mirror of it).
`;
  }
  if (!/base binary|denort/i.test(stderr)) return undefined;
  return `
The base runtime that "deno compile" builds on (denort ${deno}, ${Deno.build.target}) cannot be had.
Where its download is out of reach, set DENORT_BIN to one and try again. A base is
  - denort of Deno ${deno}: on a machine that reaches the releases of Deno, fetch
    denort-${Deno.build.target}.zip of v${deno} and unpack it, or
  - any executable that "deno compile" of Deno ${deno} has made for this kind of machine.
`;
}

/** Runs this Deno, and returns whether it did what it was told to; if not, it is said why. */
async function runDeno(args: readonly string[]): Promise<boolean> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    // Networks with a certificate authority of their own have it among the system's.
    env: { DENO_TLS_CA_STORE: Deno.env.get("DENO_TLS_CA_STORE") ?? "system,mozilla" },
    stdin: "null",
    stdout: "inherit",
    stderr: "piped",
  });
  const { success, stderr } = await child.output();
  await Deno.stderr.write(stderr);
  if (!success) {
    console.error(explainFailure(new TextDecoder().decode(stderr)) ?? "Cannot compile: deno says why above");
  }
  return success;
}

/** Compiles, and returns whether that succeeded. */
async function compile(): Promise<boolean> {
  const folder = await Deno.makeTempDir({ prefix: "iscsi-compile-" });
  try {
    for (const part of PARTS) if (!await runDeno(bundleArguments(part, folder))) return false;
    if (!await runDeno(compileArguments(folder))) return false;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const mebibytes = (Deno.statSync(`${ROOT}${OUTPUT}`).size / 1024 ** 2).toFixed(0);
  console.log(`${OUTPUT}: ${mebibytes} MiB, made with Deno ${Deno.version.deno}`);
  return true;
}

if (import.meta.main) Deno.exit(await compile() ? 0 : 1);
