/**
 * Makes `dist/iscsi`, the one file that goes onto an appliance: `deno task compile`.
 *
 * `deno compile` puts the program behind a base, a runtime of the same version, which it downloads unless
 * `DENORT_BIN` names one.
 */
import { fromFileUrl } from "@std/path";
import denoConfig from "../deno.json" with { type: "json" };

const ROOT = fromFileUrl(new URL("../", import.meta.url));
const OUTPUT = "dist/iscsi";

/** What the program starts by its address, where `deno compile` does not see it. */
const WORKERS = [
  "lib/server/target_worker.ts",
  "lib/server/relay/relay_worker.ts",
  "lib/server/metrics_worker.ts",
];

/** The rights of the program: those that the task `iscsi` runs it with, so that the two cannot differ. */
export function permissionFlags(task: string = denoConfig.tasks.iscsi): string[] {
  return task.split(" ").filter((word) => word.startsWith("--allow-") || word === "--no-prompt");
}

/** The arguments of `deno` that compile the program. */
export function compileArguments(): string[] {
  const includes = WORKERS.flatMap((worker) => ["--include", worker]);
  return ["compile", "--quiet", ...permissionFlags(), ...includes, "--output", OUTPUT, "main.ts"];
}

/** What to do about a failure, where we know: the base could not be had. */
export function explainFailure(stderr: string): string | undefined {
  if (!/base binary|denort/i.test(stderr)) return undefined;
  const { deno } = Deno.version;
  return `
The base runtime that "deno compile" builds on (denort ${deno}, ${Deno.build.target}) cannot be had.
Where its download is out of reach, set DENORT_BIN to one and try again. A base is
  - denort of Deno ${deno}: on a machine that reaches the releases of Deno, fetch
    denort-${Deno.build.target}.zip of v${deno} and unpack it, or
  - any executable that "deno compile" of Deno ${deno} has made for this kind of machine.
`;
}

/** Compiles and returns the exit code. */
async function compile(): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: compileArguments(),
    cwd: ROOT,
    stdin: "null",
    stdout: "inherit",
    stderr: "piped",
  });
  const { code, stderr } = await child.output();
  await Deno.stderr.write(stderr);
  if (code !== 0) {
    console.error(explainFailure(new TextDecoder().decode(stderr)) ?? "Cannot compile: deno says why above");
    return 1;
  }
  const mebibytes = (Deno.statSync(`${ROOT}${OUTPUT}`).size / 1024 ** 2).toFixed(0);
  console.log(`${OUTPUT}: ${mebibytes} MiB, made with Deno ${Deno.version.deno}`);
  return 0;
}

if (import.meta.main) Deno.exit(await compile());
