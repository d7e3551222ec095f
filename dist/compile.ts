/**
 * Makes `dist/iscsi`, the one file of an appliance: `deno task compile`. With the options of `compile_scope.ts` its
 * rights are those of one storage folder, its conf and its addresses.
 *
 * `deno bundle` first makes a few modules of the program and one of each worker, because loading hundreds of small
 * modules took a third of the time from the start to `ready`. `deno compile` then appends them, and the files of `dist`
 * that `iscsi install` installs, to a base: a runtime of the same version, which it downloads unless `DENORT_BIN` names
 * one. The program is then started once, because `deno compile` accepts a base of any version.
 */
import { basename, dirname, fromFileUrl, join, resolve } from "@std/path";
import denoConfig from "../deno.json" with { type: "json" };
import { SHIPPED_FILES } from "../lib/cli/shipped_files.ts";
import { limitRights, readScope, type Scope, USAGE } from "./compile_scope.ts";
import { type Machine, MACHINES, NPM_BASE, readMachine, thisMachine } from "./machines.ts";

/** The folder of this repository. */
export const ROOT: string = fromFileUrl(new URL("../", import.meta.url));
const OUTPUT = "dist/iscsi";

const PROGRAM = "main.ts";

/** The folder beside the bundle with the files of `dist` that the program carries. */
const SHIPPED_FOLDER = "dist";

/** The workers. The program starts them by URL, which `deno bundle` and `deno compile` do not follow. */
const WORKERS = [
  "lib/server/worker/target_worker.ts",
  "lib/server/relay/relay_worker.ts",
  "lib/server/metrics/metrics_worker.ts",
];

/** The parts that are bundled, each into one module. */
export const PARTS: readonly string[] = [PROGRAM, ...WORKERS];

/** Returns the rights of the program: those of the task `iscsi`. */
export function permissionFlags(task: string = denoConfig.tasks.iscsi): string[] {
  return task.split(" ").filter((word) => word.startsWith("--allow-") || word === "--no-prompt");
}

/** Returns the path of a bundled part: beside the others, because a worker starts by a URL relative to its caller. */
function bundleOf(part: string, folder: string): string {
  return join(folder, part === PROGRAM ? PROGRAM.replace(/ts$/, "js") : basename(part));
}

/**
 * Returns the arguments of `deno` that bundle a part of the program: a worker into one module, and the program into one
 * for each command and for what commands share, since parsing the code of all commands takes a fifth of the start.
 */
export function bundleArguments(part: string, folder: string): string[] {
  const output = part === PROGRAM
    ? ["--code-splitting", "--outdir", folder]
    : ["--output", bundleOf(part, folder)];
  return ["bundle", "--quiet", "--platform", "deno", ...output, part];
}

/** A program to compile. */
export interface Compilation {
  /** The folder of the bundle. */
  readonly folder: string;
  readonly rights?: readonly string[];
  /** By default that of this machine. */
  readonly machine?: Machine;
  /** The base; by default the one that `DENORT_BIN` names, or the one that `deno compile` downloads. */
  readonly base?: string | undefined;
  readonly output?: string;
}

/**
 * Returns the arguments of `deno` that compile a bundle. The types were checked in the source. A code cache would be a
 * file in the temporary folder, where another user could place code for the program to run.
 */
export function compileArguments(
  { folder, rights = permissionFlags(), machine = thisMachine(), output = OUTPUT }: Compilation,
): string[] {
  const unstable = denoConfig.unstable.map((feature) => `--unstable-${feature}`);
  const included = [...WORKERS.map((worker) => bundleOf(worker, folder)), join(folder, SHIPPED_FOLDER)];
  return [
    ...["compile", "--quiet", "--no-config", "--no-check", "--no-code-cache"],
    ...["--target", MACHINES[machine].target],
    ...unstable,
    ...rights,
    ...included.flatMap((path) => ["--include", path]),
    ...["--output", output, bundleOf(PROGRAM, folder)],
  ];
}

/** Returns the remedy of a failed download; undefined for other failures. */
export function explainFailure(stderr: string, machine: Machine = thisMachine()): string | undefined {
  const { deno } = Deno.version;
  if (/download esbuild/i.test(stderr)) {
    return `
"deno bundle" downloads esbuild from npm at its first use, and cannot reach it. Run this once where npm can be reached
(NPM_CONFIG_REGISTRY names a mirror of it).
`;
  }
  if (!/base binary|denort/i.test(stderr)) return undefined;
  return `
Cannot get the base runtime of "deno compile" (denort ${deno}, ${MACHINES[machine].target}).
${explainBases(machine)}`;
}

/** Explains where a base comes from that need not be downloaded from the releases of Deno. */
export function explainBases(machine: Machine): string {
  const { deno } = Deno.version;
  const { target } = MACHINES[machine];
  return `Set DENORT_BIN to a base and try again. A base is
  - denort of Deno ${deno}: on a machine that reaches the releases of Deno, download
    denort-${target}.zip of v${deno} and unpack it, or
  - any executable that "deno compile" of Deno ${deno} has made for ${machine}. Where only npm can
    be reached, it has one of Deno ${NPM_BASE.deno}:
      npm pack ${NPM_BASE.packages[machine]} && tar -xzf stdy-cli-*.tgz ${NPM_BASE.file}
      DENORT_BIN=$PWD/${NPM_BASE.file} npx -y deno@${NPM_BASE.deno} task compile
`;
}

/** Runs this Deno and returns true if it succeeded; otherwise prints the reason and the remedy. */
async function runDeno(
  args: readonly string[],
  { machine = thisMachine(), base }: Pick<Compilation, "machine" | "base"> = {},
): Promise<boolean> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    env: {
      // Networks with a certificate authority of their own have it among the system's.
      DENO_TLS_CA_STORE: Deno.env.get("DENO_TLS_CA_STORE") ?? "system,mozilla",
      ...(base === undefined ? {} : { DENORT_BIN: base }),
    },
    stdin: "null",
    stdout: "inherit",
    stderr: "piped",
  });
  const { success, stderr } = await child.output();
  await Deno.stderr.write(stderr);
  if (!success) {
    console.error(
      explainFailure(new TextDecoder().decode(stderr), machine) ??
        "Cannot compile: see the message of deno above",
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

/** Removes the place of the packages of npm from a bundle, which names them relative to the repository. */
export function withoutPackageFolder(bundle: string): string {
  return bundle.replaceAll(/(?:\.\.\/)+[^\s"]*\/npm\/[^\s"/]+\//g, "npm/");
}

/**
 * Runs `act` with a folder that has the bundle, then removes it. Returns undefined if it cannot be made. The times of
 * its files become part of the program: they are fixed, so that the same source gives the same program.
 */
export async function withBundle<Result>(
  act: (folder: string) => Promise<Result>,
): Promise<Result | undefined> {
  const folder = await Deno.makeTempDir({ prefix: "iscsi-compile-" });
  try {
    for (const part of PARTS) if (!await runDeno(bundleArguments(part, folder))) return undefined;
    for (const name of SHIPPED_FILES) {
      const copy = join(folder, SHIPPED_FOLDER, name);
      Deno.mkdirSync(dirname(copy), { recursive: true });
      Deno.copyFileSync(join(ROOT, "dist", name), copy);
      Deno.utimeSync(copy, 0, 0);
    }
    for (const { name, isFile } of Deno.readDirSync(folder)) {
      if (!isFile) continue;
      const path = join(folder, name);
      Deno.writeTextFileSync(path, withoutPackageFolder(Deno.readTextFileSync(path)));
      Deno.utimeSync(path, 0, 0);
    }
    return await act(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Compiles a program and starts it once, if it is for this machine. Returns true if it starts. */
export async function compileProgram(compilation: Compilation): Promise<boolean> {
  const { machine = thisMachine(), output = OUTPUT } = compilation;
  if (!await runDeno(compileArguments(compilation), compilation)) return false;
  const path = resolve(ROOT, output);
  const mebibytes = (Deno.statSync(path).size / 1024 ** 2).toFixed(0);
  const problem = await findProblem(path, machine);
  if (problem !== undefined) {
    Deno.removeSync(path);
    console.error(`${problem}\nIt was removed.\n${explainBases(machine)}`);
    return false;
  }
  const trial = machine === thisMachine() ? "it starts" : `not started here, on ${thisMachine()}`;
  console.log(
    `${
      output === OUTPUT ? OUTPUT : basename(output)
    }: ${mebibytes} MiB for ${machine}, made with Deno ${Deno.version.deno}; ${trial}`,
  );
  return true;
}

/** Returns why a compiled program cannot be used; undefined when it can, as far as this machine can try. */
export async function findProblem(path: string, machine: Machine): Promise<string | undefined> {
  const made = readMachine(path);
  if (made !== machine) {
    return `The program is for ${made ?? "another system"}, not for ${machine}, as its base is.`;
  }
  if (machine !== thisMachine()) return undefined;
  const output = await start(path);
  if (output === `iscsi ${denoConfig.version}\n`) return undefined;
  return `${output}\nThe program does not start. Its base is probably not of Deno ${Deno.version.deno}.`;
}

/** Starts a program with an empty environment, and returns what it prints. */
async function start(path: string): Promise<string> {
  const child = new Deno.Command(path, { args: ["--version"], clearEnv: true, stdin: "null" });
  const { stdout, stderr } = await child.output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

/** Compiles `dist/iscsi`; returns true if that succeeded. */
async function compile(scope: Scope | undefined): Promise<boolean> {
  const general = permissionFlags();
  const rights = scope === undefined
    ? general
    : limitRights(general, scope, { hasSocketRights: await hasSocketRights() });
  const isDone = await withBundle((folder) => compileProgram({ folder, rights })) === true;
  if (isDone && scope !== undefined) console.log(`Its rights: ${rights.join(" ")}`);
  return isDone;
}

if (import.meta.main) {
  const scope = readScope(Deno.args);
  if (typeof scope === "string") {
    console.error(`${scope}\n${USAGE}`);
    Deno.exit(2);
  }
  Deno.exit(await compile(scope) ? 0 : 1);
}
