/** The targets that are compared, each started on loopback with a copy of the same file, and stopped at the end. */
import { getAvailablePort } from "@std/net";
import { dirname, fromFileUrl, join } from "@std/path";
import denoConfig from "../../deno.json" with { type: "json" };

/** A running target. */
export interface Side {
  readonly name: "ours" | "binary" | "former" | "tgt" | "bound" | "boundC" | "boundDeno";
  /** The exact product and version. */
  readonly description: string;
  readonly port: number;
  readonly target: string;
  readonly lun: number;
  /** The process whose processor time is measured. */
  readonly pid: number;
  /** The target without a write cache; only a side of this project has one. */
  readonly through?: string;
  /** Its backing file; undefined for the bound, which has none. */
  readonly file: string | undefined;
  stop(): Promise<void>;
}

const REPOSITORY = dirname(dirname(dirname(fromFileUrl(import.meta.url))));

/** Runs a command to its end and returns its standard output. */
export async function run(command: string, args: readonly string[]): Promise<string> {
  const output = await new Deno.Command(command, { args: [...args], stdout: "piped", stderr: "piped" })
    .output();
  const text = new TextDecoder();
  if (output.success) return text.decode(output.stdout);
  throw new Error(`${command} ${args.join(" ")}: ${text.decode(output.stderr)}${text.decode(output.stdout)}`);
}

/** Reports if a program is installed. */
export async function has(program: string): Promise<boolean> {
  return (await new Deno.Command("sh", { args: ["-c", `command -v ${program}`], stdout: "null" }).output())
    .success;
}

/** Compiles a C program of this folder. */
export async function compileC(name: string, folder: string): Promise<string> {
  const output = join(folder, name);
  await run("gcc", ["-O2", "-o", output, join(REPOSITORY, "tests", "bench", `${name}.c`)]);
  return output;
}

/** Waits until something listens at a port of loopback. */
async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`Nothing listens at port ${port} after 10 s`);
}

async function end(child: Deno.ChildProcess, signal: Deno.Signal): Promise<void> {
  child.kill(signal);
  await child.status;
}

/** The command line of a program. */
export interface Program {
  readonly command: string;
  /** The arguments before its own. */
  readonly prefix: readonly string[];
  readonly description: string;
}

/** Returns the command line of this project's program: the compiled binary if it exists, else from source. */
export async function ourProgram(): Promise<Program> {
  return await compiledProgram() ?? sourceProgram();
}

/** Returns the command line of the compiled program; undefined when it does not exist. */
export async function compiledProgram(): Promise<Program | undefined> {
  const binary = join(REPOSITORY, "dist", "iscsi");
  if (!await Deno.stat(binary).then(() => true, () => false)) return undefined;
  return { command: binary, prefix: [], description: "dist/iscsi, compiled" };
}

/** Returns the command line of the program from source, of this checkout or another. */
export function sourceProgram(checkout = REPOSITORY): Program {
  const rights = denoConfig.tasks.iscsi.split(" ").filter((word) => word.startsWith("--"));
  return {
    command: Deno.execPath(),
    prefix: ["run", ...rights, join(checkout, "main.ts")],
    description: `from source, Deno ${Deno.version.deno}`,
  };
}

/**
 * A program of Deno's that does nothing, made and run like ours: what a start takes at least. Undefined where ours was
 * compiled with another Deno than this one, which can then make no other from it.
 */
export async function emptyProgram(folder: string): Promise<Program | undefined> {
  const { command, prefix } = await ourProgram();
  const source = join(folder, "empty.ts");
  await Deno.writeTextFile(source, "");
  if (prefix.length > 0) return { command, prefix: ["run", source], description: "an empty file" };
  const output = join(folder, "empty");
  await new Deno.Command(Deno.execPath(), {
    args: ["compile", "--quiet", "--no-config", "--no-code-cache", "--output", output, source],
    env: { DENORT_BIN: command },
    stderr: "null",
  }).output();
  const { success } = await new Deno.Command(output, { stderr: "null" }).output();
  return success ? { command: output, prefix: [], description: "an empty program, compiled" } : undefined;
}

/** A running server of this project. */
export interface Server {
  readonly pid: number;
  /** From its start until it said so. */
  readonly readyMs: number;
  stop(): Promise<void>;
}

/** Starts this project's server for a conf that was built. */
export async function startServer({ command, prefix }: Program, conf: string): Promise<Server> {
  const began = performance.now();
  const child = new Deno.Command(command, {
    args: [...prefix, "serve", "--conf", conf],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  await untilReady(child.stdout);
  const readyMs = performance.now() - began;
  return { pid: child.pid, readyMs, stop: () => end(child, "SIGTERM") };
}

/** Reads a server's output until it reports ready, and discards the rest. */
async function untilReady(output: ReadableStream<Uint8Array>): Promise<void> {
  let text = "";
  for await (const chunk of output.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes("ready\n")) return;
  }
  throw new Error(`The server ended before it was ready: ${text}`);
}

/** Returns a conf of this project for loopback, with room for many sessions. */
export function confOf(storage: string, port: number, targets: readonly string[]): string {
  const globals = [
    `storage=${storage}`,
    `port=${port}`,
    "connections=64",
    "sessions=64",
    "networks=127.0.0.0/8",
  ];
  return [...globals, ...targets, ""].join("\n");
}

/** The name and the program of a side of this project. */
export interface OurSide {
  readonly name?: "ours" | "binary" | "former";
  readonly program: Program;
  /** A file that LUN 1 gets a copy of; none by default. */
  readonly neighbour?: string;
  /** The file of a second target, without a write cache; none by default. */
  readonly through?: string;
}

/** This project's target. */
export async function startOurs(
  folder: string,
  file: string,
  { name = "ours", program, neighbour, through }: OurSide,
): Promise<Side> {
  const { command, prefix, description } = program;
  const port = getAvailablePort();
  const conf = join(folder, "iscsi.conf");
  const { size } = await Deno.stat(file);
  const sizes = neighbour === undefined ? `${size}` : `${size} ${(await Deno.stat(neighbour)).size}`;
  const targets = [
    `[bench]\nsize=${sizes}\nfile=${file}`,
    ...(through === undefined ? [] : [`[through]\nsize=${size}\nfile=${through}\nwritecache=n`]),
  ];
  await Deno.writeTextFile(conf, confOf(folder, port, targets));
  await run(command, [...prefix, "build", "--conf", conf]);
  if (neighbour !== undefined) {
    await run("dd", [`if=${neighbour}`, `of=${file}_1`, "bs=1M", "conv=notrunc", "status=none"]);
  }
  const { pid, stop } = await startServer(program, conf);
  const [target, throughTarget] = ["bench", "through"].map((word) => `iqn.2002-08.info.netmanager:${word}`);
  const side = { name, description, port, target: target!, lun: 0, pid, file, stop };
  return through === undefined ? side : { ...side, through: throughTarget! };
}

/**
 * Starts Debian's tgt.
 *
 * @param neighbour the file of LUN 2, beside which LUN 1 is thin; none by default
 */
export async function startTgt(file: string, neighbour?: string): Promise<Side> {
  const port = getAvailablePort();
  const control = String(1_000 + port % 1_000);
  const child = new Deno.Command("tgtd", {
    args: ["-f", "-C", control, "--iscsi", `portal=127.0.0.1:${port}`],
    stdout: "null",
    stderr: "null",
  }).spawn();
  await untilListening(port);
  const target = "iqn.2026-11.bench:tgt";
  const admin = (...args: string[]): Promise<string> =>
    run("tgtadm", ["-C", control, "--lld", "iscsi", ...args]);
  await admin("--op", "new", "--mode", "target", "--tid", "1", "-T", target);
  await admin("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "-b", file);
  if (neighbour !== undefined) {
    await admin("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "2", "-b", neighbour);
    const thin = ["--tid", "1", "--lun", "1", "--params", "thin_provisioning=1"];
    await admin("--op", "update", "--mode", "logicalunit", ...thin);
  }
  // It accepts digests only if configured so, and only from initiators that offer them.
  for (const name of ["HeaderDigest", "DataDigest"]) {
    await admin("--op", "update", "--mode", "target", "--tid", "1", "--name", name, "--value", "CRC32C");
  }
  await admin("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL");
  const version = (await run("tgtd", ["-V"])).trim();
  const stop = (): Promise<void> => end(child, "SIGKILL");
  return { name: "tgt", description: `tgt ${version}`, port, target, lun: 1, pid: child.pid, file, stop };
}

/** Starts the C program that only answers, or, with a file, also moves its bytes. */
export async function startBound(folder: string, sizeBytes: number, file?: string): Promise<Side> {
  const program = {
    command: await compileC("bound", folder),
    prefix: [],
    description: "tests/bench/bound.c",
  };
  if (file === undefined) return await startAnswering("bound", program, [String(sizeBytes)]);
  program.description += " with a file";
  return await startAnswering("boundC", program, [String(sizeBytes), file], file);
}

/** Starts the minimal target in Deno. */
export async function startDenoBound(file: string): Promise<Side> {
  const source = join(REPOSITORY, "tests", "bench", "bound.ts");
  const rights = ["--allow-net=127.0.0.1", `--allow-read=${file}`, `--allow-write=${file}`];
  const prefix = ["run", "--quiet", ...rights, source];
  const description = `tests/bench/bound.ts with a file, Deno ${Deno.version.deno}`;
  return await startAnswering("boundDeno", { command: Deno.execPath(), prefix, description }, [file], file);
}

async function startAnswering(
  name: Side["name"],
  { command, prefix, description }: Program,
  args: readonly string[],
  file?: string,
): Promise<Side> {
  const port = getAvailablePort();
  const child = new Deno.Command(command, { args: [...prefix, String(port), ...args] }).spawn();
  await untilListening(port);
  return {
    name,
    description,
    port,
    target: "iqn.2026-11.bench:bound",
    lun: 0,
    pid: child.pid,
    file,
    stop: () => end(child, "SIGKILL"),
  };
}
