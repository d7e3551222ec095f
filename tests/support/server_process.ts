/**
 * The program under test as a process of its own: from source, or the compiled file that `ISCSI_BINARY` names.
 */
import { getAvailablePort } from "@std/net";
import { fromFileUrl, join } from "@std/path";
import denoConfig from "../../deno.json" with { type: "json" };
import { withTimeLimit } from "./initiator_connection.ts";
import { runTool, type ToolOptions, type ToolResult } from "./tools.ts";

export const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** Longest that a server may take until it serves, and until it has ended; the product promises 5 s for the latter. */
const READY_LIMIT_MS = 20_000;
const STOP_LIMIT_MS = 20_000;

/** Returns a free port below the ephemeral range, so no client of another test gets it first. */
export function freePort(): number {
  const [lowest, count, attempts] = [16384, 16384, 100];
  for (let i = 0; i < attempts; i++) {
    const preferredPort = lowest + Math.floor(Math.random() * count);
    if (getAvailablePort({ preferredPort }) === preferredPort) return preferredPort;
  }
  throw new Error(`Cannot find a free port in ${attempts} attempts`);
}

/** Returns the program and the arguments before those of the command. */
export function iscsiCommand(): { program: string; args: readonly string[] } {
  const binary = Deno.env.get("ISCSI_BINARY");
  if (binary !== undefined) return { program: binary, args: [] };
  const { program, args } = parseTask(denoConfig.tasks.iscsi);
  if (program !== "deno") throw new Error(`Task "iscsi" does not run deno: ${program}`);
  return {
    program: Deno.execPath(),
    args: args.map((arg) => arg.endsWith("main.ts") ? join(ROOT, arg) : arg),
  };
}

/** Task lines of this project are words, without quotes. */
function parseTask(task: string): { program: string; args: readonly string[] } {
  const [program = "", ...args] = task.split(" ");
  return {
    program,
    args: args[0] === "run" ? ["run", "--config", join(ROOT, "deno.json"), ...args.slice(1)] : args,
  };
}

/** Runs a command of the program to its end. */
export function runIscsi(args: readonly string[], options: ToolOptions = {}): Promise<ToolResult> {
  const command = iscsiCommand();
  return runTool(command.program, [...command.args, ...args], options);
}

/** The exit of a server. */
export interface ServerEnd {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  /** From the signal that was to end it. */
  readonly durationMs: number;
}

/** A stream of a process, as text, from its start to its last output. */
class TextCollector {
  readonly #watchers: ((text: string) => boolean)[] = [];
  #text = "";
  /** Resolves at the end of the stream. */
  readonly ended: Promise<void>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.ended = this.#collect(stream);
  }

  get text(): string {
    return this.#text;
  }

  /** Resolves to true when the text contains what is looked for, and to false when it ends without. */
  async includes(wanted: string): Promise<boolean> {
    const found = Promise.withResolvers<boolean>();
    const look = (text: string): boolean => {
      if (text.includes(wanted)) found.resolve(true);
      return text.includes(wanted);
    };
    if (!look(this.#text)) this.#watchers.push(look);
    return await Promise.race([found.promise, this.ended.then(() => this.#text.includes(wanted))]);
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const piece of stream) {
      this.#text += decoder.decode(piece, { stream: true });
      for (const look of this.#watchers) look(this.#text);
    }
  }
}

/** A running `iscsi serve` or `iscsi demo`. */
export class ServerProcess {
  readonly #child: Deno.ChildProcess;
  readonly #stdout: TextCollector;
  readonly #stderr: TextCollector;
  #isEnded = false;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#stdout = new TextCollector(child.stdout);
    this.#stderr = new TextCollector(child.stderr);
    child.status.then(() => this.#isEnded = true);
  }

  /**
   * Starts a server and waits until it serves.
   *
   * @throws when it does not, with what it said
   */
  static start(confPath: string, env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
    return ServerProcess.launch(confPath, env).untilReady();
  }

  /** Starts a server that may take its time. */
  static launch(confPath: string, env: Readonly<Record<string, string>> = {}): ServerProcess {
    return ServerProcess.launchBelow([], ["serve", "--conf", confPath], env);
  }

  /** Starts a server by another program, which becomes it: `words` are the arguments of the program under test. */
  static launchBelow(
    wrapper: readonly string[],
    words: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): ServerProcess {
    const { program, args } = iscsiCommand();
    return ServerProcess.launchCommand([...wrapper, program, ...args, ...words], env);
  }

  /** Starts a server by a whole command line. */
  static launchCommand(
    [program, ...args]: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): ServerProcess {
    const child = new Deno.Command(program!, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1", ...env },
    }).spawn();
    return new ServerProcess(child);
  }

  /** Starts the demonstration and waits until it serves. */
  static demonstrate(): Promise<ServerProcess> {
    return ServerProcess.launchBelow([], ["demo"]).untilReady();
  }

  /**
   * Waits until the server serves.
   *
   * @throws when it does not, with what it said
   */
  async untilReady(): Promise<ServerProcess> {
    const isReady = await withTimeLimit(
      this.#stdout.includes("ready\n"),
      READY_LIMIT_MS,
      "see the server ready",
    )
      .catch(() => false);
    if (isReady) return this;
    await this.kill();
    throw new Error(`The server did not become ready:\n${this.stdout}${this.stderr}`);
  }

  get pid(): number {
    return this.#child.pid;
  }
  /** The output so far. */
  get stdout(): string {
    return this.#stdout.text;
  }
  get stderr(): string {
    return this.#stderr.text;
  }
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Waits until the server has printed a line, which it may have done before. */
  async waitForLine(line: string, timeLimitMs = 5000): Promise<void> {
    await withTimeLimit(this.#stdout.includes(`${line}\n`), timeLimitMs, `see "${line}" of the server`);
  }

  /** Waits until the server has said something on stderr. */
  async waitForLog(text: string, timeLimitMs = 5000): Promise<void> {
    const isFound = await withTimeLimit(this.#stderr.includes(text), timeLimitMs, `see "${text}" in the log`)
      .catch(() => false);
    if (!isFound) throw new Error(`The server did not log "${text}" but:\n${this.stderr}`);
  }

  /** Resident memory of the server in bytes. */
  residentBytes(): number {
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    return Number(status.match(/^VmRSS:\s+(\d+) kB$/m)![1]) * 1024;
  }

  /** Ends the server in order. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<ServerEnd> {
    const start = performance.now();
    if (!this.#isEnded) this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_LIMIT_MS);
    const { code, signal: cause } = await this.#child.status.finally(() => clearTimeout(timer));
    const durationMs = performance.now() - start;
    await Promise.all([this.#stdout.ended, this.#stderr.ended]);
    return { code, signal: cause, durationMs };
  }

  /** Sends a signal without waiting for its effect. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Ends the server as a power failure would. */
  async kill(): Promise<void> {
    await this.stop("SIGKILL");
  }

  /** Ends the server, unless a test has done so; a server that ends otherwise than in order is a fault. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isEnded) return void await this.stop();
    const { code, signal } = await this.stop();
    if (code !== 0) throw new Error(`The server ended with code ${code}, signal ${signal}:\n${this.stderr}`);
  }
}

/** Writes a script that becomes the program under test, for files that name a program by its path. */
export function writeProgramScript(path: string): void {
  const { program, args } = iscsiCommand();
  const command = [program, ...args].map((word) => `'${word}'`).join(" ");
  Deno.writeTextFileSync(path, `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
}
