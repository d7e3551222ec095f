/** The targets that are compared, each started on loopback with a copy of the same file, and stopped at the end. */
import { getAvailablePort } from "@std/net";
import { dirname, fromFileUrl, join } from "@std/path";
import denoConfig from "../../deno.json" with { type: "json" };

/** A running target. */
export interface Side {
  readonly name: "ours" | "tgt" | "bound";
  /** What exactly it is. */
  readonly description: string;
  readonly port: number;
  readonly target: string;
  readonly lun: number;
  /** The process whose processor time is measured. */
  readonly pid: number;
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

/** Whether a program can be found. */
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

/** How this project's program is run: the compiled binary where there is one, else from source. */
export async function ourCommand(): Promise<{ command: string; prefix: string[]; description: string }> {
  const binary = join(REPOSITORY, "dist", "iscsi");
  if (await Deno.stat(binary).then(() => true, () => false)) {
    return { command: binary, prefix: [], description: "dist/iscsi, compiled" };
  }
  const rights = denoConfig.tasks.iscsi.split(" ").filter((word) => word.startsWith("--"));
  return {
    command: Deno.execPath(),
    prefix: ["run", ...rights, join(REPOSITORY, "main.ts")],
    description: `from source, Deno ${Deno.version.deno}`,
  };
}

/** This project's target. */
export async function startOurs(folder: string, file: string): Promise<Side> {
  const { command, prefix, description } = await ourCommand();
  const port = getAvailablePort();
  const conf = join(folder, "iscsi.conf");
  const { size } = await Deno.stat(file);
  const globals = [
    `storage=${folder}`,
    `port=${port}`,
    "connections=64",
    "sessions=64",
    "networks=127.0.0.0/8",
  ];
  await Deno.writeTextFile(conf, [...globals, "[bench]", `size=${size}`, `file=${file}`, ""].join("\n"));
  await run(command, [...prefix, "build", "--conf", conf]);
  const child = new Deno.Command(command, {
    args: [...prefix, "serve", "--conf", conf],
    stdout: "null",
    stderr: "null",
  }).spawn();
  await untilListening(port);
  return {
    name: "ours",
    description,
    port,
    target: "iqn.2002-08.info.netmanager:bench",
    lun: 0,
    pid: child.pid,
    file,
    stop: () => end(child, "SIGTERM"),
  };
}

/** Debian's tgt. */
export async function startTgt(file: string): Promise<Side> {
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
  // It takes digests only from initiators that ask for them, and only if told.
  for (const name of ["HeaderDigest", "DataDigest"]) {
    await admin("--op", "update", "--mode", "target", "--tid", "1", "--name", name, "--value", "CRC32C");
  }
  await admin("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL");
  const version = (await run("tgtd", ["-V"])).trim();
  const stop = (): Promise<void> => end(child, "SIGKILL");
  return { name: "tgt", description: `tgt ${version}`, port, target, lun: 1, pid: child.pid, file, stop };
}

/** The C program that only answers. */
export async function startBound(folder: string, sizeBytes: number): Promise<Side> {
  const port = getAvailablePort();
  const program = await compileC("bound", folder);
  const child = new Deno.Command(program, { args: [String(port), String(sizeBytes)] }).spawn();
  await untilListening(port);
  return {
    name: "bound",
    description: "tests/bench/bound.c",
    port,
    target: "iqn.2026-11.bench:bound",
    lun: 0,
    pid: child.pid,
    file: undefined,
    stop: () => end(child, "SIGKILL"),
  };
}
