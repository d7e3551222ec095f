/**
 * Makes `dist/iscsi`, the one file of an appliance: `deno task compile`. With the options of `compile_scope.ts` its
 * rights are those of one storage folder, its conf and its addresses.
 *
 * `deno bundle` first makes one module of the program and one of each worker, because loading hundreds of small modules
 * took a third of the time from the start to `ready`. `deno compile` then appends them to a base, a runtime of the same
 * version, which it downloads unless `DENORT_BIN` names one.
 */
import { basename, fromFileUrl, join } from "@std/path";
import denoConfig from "../deno.json" with { type: "json" };
import { limitRights, readScope, type Scope, USAGE } from "./compile_scope.ts";

const ROOT = fromFileUrl(new URL("../", import.meta.url));
const OUTPUT = "dist/iscsi";

const PROGRAM = "main.ts";

/** The workers. The program starts them by URL, which `deno bundle` and `deno compile` do not follow. */
const WORKERS = [
  "lib/server/target_worker.ts",
  "lib/server/relay/relay_worker.ts",
  "lib/server/metrics_worker.ts",
];

/** The parts that are bundled, each into one module. */
export const PARTS: readonly string[] = [PROGRAM, ...WORKERS];

/** Returns the rights of the program: those of the task `iscsi`. */
export function permissionFlags(task: string = denoConfig.tasks.iscsi): string[] {
  return task.split(" ").filter((word) => word.startsWith("--allow-") || word === "--no-prompt");
}

/** Returns the path of a bundled part: beside the others, because a worker starts by a URL relative to its caller. */
function bundleOf(part: string, folder: string): string {
  return join(folder, basename(part));
}

/** Returns the arguments of `deno` that bundle a part of the program. */
export function bundleArguments(part: string, folder: string): string[] {
  return ["bundle", "--quiet", "--platform", "deno", "--output", bundleOf(part, folder), part];
}

/**
 * Returns the arguments of `deno` that compile the modules in a folder. The types were checked in the source. A code
 * cache would be a file in the temporary folder, where another user could place code for the program to run.
 */
export function compileArguments(folder: string, rights: readonly string[] = permissionFlags()): string[] {
  const unstable = denoConfig.unstable.map((feature) => `--unstable-${feature}`);
  const includes = WORKERS.flatMap((worker) => ["--include", bundleOf(worker, folder)]);
  return [
    ...["compile", "--quiet", "--no-config", "--no-check", "--no-code-cache"],
    ...unstable,
    ...rights,
    ...includes,
    ...["--output", OUTPUT, bundleOf(PROGRAM, folder)],
  ];
}

/** Returns the remedy of a failed download; undefined for other failures. */
export function explainFailure(stderr: string): string | undefined {
  const { deno } = Deno.version;
  if (/download esbuild/i.test(stderr)) {
    return `
"deno bundle" downloads esbuild from npm at its first use, and cannot reach it. Run this once where npm can be reached
(NPM_CONFIG_REGISTRY names a mirror of it).
`;
  }
  if (!/base binary|denort/i.test(stderr)) return undefined;
  return `
Cannot download the base runtime of "deno compile" (denort ${deno}, ${Deno.build.target}).
Set DENORT_BIN to a base and try again. A base is
  - denort of Deno ${deno}: on a machine that reaches the releases of Deno, download
    denort-${Deno.build.target}.zip of v${deno} and unpack it, or
  - any executable that "deno compile" of Deno ${deno} has made for this kind of machine.
`;
}

/** Runs this Deno and returns true if it succeeded; otherwise prints the reason and the remedy. */
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
    console.error(
      explainFailure(new TextDecoder().decode(stderr)) ?? "Cannot compile: see the message of deno above",
    );
  }
  return success;
}

/** Reports whether this Deno has rights to Unix sockets; older versions take such a right for an error. */
async function hasSocketRights(): Promise<boolean> {
  const args = ["run", "--quiet", "--no-config", "--allow-net=unix:/nowhere", "data:text/javascript,"];
  const { success } = await new Deno.Command(Deno.execPath(), { args, stdin: "null", stderr: "null" })
    .output();
  return success;
}

/** Compiles the program; returns true if that succeeded. */
async function compile(scope: Scope | undefined): Promise<boolean> {
  const general = permissionFlags();
  const rights = scope === undefined
    ? general
    : limitRights(general, scope, { hasSocketRights: await hasSocketRights() });
  const folder = await Deno.makeTempDir({ prefix: "iscsi-compile-" });
  try {
    for (const part of PARTS) if (!await runDeno(bundleArguments(part, folder))) return false;
    if (!await runDeno(compileArguments(folder, rights))) return false;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const mebibytes = (Deno.statSync(`${ROOT}${OUTPUT}`).size / 1024 ** 2).toFixed(0);
  console.log(`${OUTPUT}: ${mebibytes} MiB, made with Deno ${Deno.version.deno}`);
  if (scope !== undefined) console.log(`Its rights: ${rights.join(" ")}`);
  return true;
}

if (import.meta.main) {
  const scope = readScope(Deno.args);
  if (typeof scope === "string") {
    console.error(`${scope}\n${USAGE}`);
    Deno.exit(2);
  }
  Deno.exit(await compile(scope) ? 0 : 1);
}
