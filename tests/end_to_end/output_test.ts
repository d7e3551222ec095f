/** The program with an output that fails: a full disk, or a reader that has left. */
import { assertEquals, assertMatch } from "@std/assert";
import { iscsiCommand, runIscsi } from "../support/server_process.ts";
import { runTool, type ToolResult } from "../support/tools.ts";
import { Appliance } from "./appliance.ts";

const STOP_LIMIT_MS = 20_000;
const START_ATTEMPTS = 100;
const ATTEMPT_MS = 100;

/** Runs a line of bash in which `iscsi` is the program. */
function bash(line: string, ...args: readonly string[]): Promise<ToolResult> {
  const command = iscsiCommand();
  const words = [command.program, ...command.args].map((word) => `'${word}'`).join(" ");
  const script = `set -o pipefail; iscsi() { NO_COLOR=1 ${words} "$@"; }; ${line}`;
  return runTool("bash", ["-c", script, "bash", ...args]);
}

/** A server whose whole output is written to a full disk. */
class MuteServer {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  /** Starts it, and waits until it can be asked. */
  static async start({ confPath }: Appliance): Promise<MuteServer> {
    const { program, args } = iscsiCommand();
    const child = new Deno.Command("sh", {
      args: ["-c", 'exec "$@" > /dev/full 2>&1', "sh", program, ...args, "serve", "--conf", confPath],
      stdin: "null",
    }).spawn();
    const server = new MuteServer(child);
    for (let attempt = 0; attempt < START_ATTEMPTS; attempt++) {
      const { code } = await runIscsi(["status", "--conf", confPath]);
      if (code === 0) return server;
      await new Promise((resolve) => setTimeout(resolve, ATTEMPT_MS));
    }
    await server.stop();
    throw new Error("The server did not start");
  }

  async stop(): Promise<number> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_LIMIT_MS);
    const { code } = await this.#child.status.finally(() => clearTimeout(timer));
    return code;
  }
}

Deno.test("a server serves whose output and log cannot be written, and ends in order", async () => {
  using appliance = Appliance.create();
  assertEquals((await appliance.build()).code, 0);
  const server = await MuteServer.start(appliance);
  let code: number | undefined;
  try {
    await using initiator = await appliance.login();
    assertEquals((await initiator.nop()).data.length, 0);
  } finally {
    code = await server.stop();
  }
  assertEquals(code, 0);
});

Deno.test("commands end quietly when their reader has read enough, and with 141", async () => {
  using appliance = Appliance.create();
  await using _server = await appliance.serve();
  for (const options of ["--watch 0.1", "--watch 0.1 --json"]) {
    const line = `iscsi status ${options} --conf "$1" | head -c 1`;
    const { code, stderr } = await bash(line, appliance.confPath);
    assertEquals([code, stderr], [141, ""], line);
  }
});

Deno.test("commands whose output cannot be written say so and fail, but do what they are for", async () => {
  using appliance = Appliance.create("[disk]\nsize = 1MB\nnetworks = 127.0.0.0/8\n");
  const remedy = "free space or inodes \\(`df -i`\\) and run it again";
  const full = new RegExp(`^iscsi: Cannot write to standard output: No space left on device .*; ${remedy}$`);
  for (const command of ["build", "build --json", "check", "check --json"]) {
    const { code, stderr } = await bash(`iscsi ${command} --conf "$1" > /dev/full`, appliance.confPath);
    assertEquals(code, 1, command);
    // `build` has said before that no server runs.
    assertMatch(stderr.trimEnd().split("\n").at(-1)!, full, command);
  }
  assertEquals(Deno.statSync(`${appliance.storage}/disk`).size, 1024 ** 2);
});
