import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { runCommandLine } from "../../lib/cli/run_command_line.ts";
import type { RightName } from "../../lib/server/held_rights.ts";
import { runCommand } from "./command_run.ts";

Deno.test("iscsi --version prints the version", async () => {
  assertEquals(await runCommand(["--version"]), { stdout: "iscsi 1.2.3\n", stderr: "", exitCode: 0 });
});

Deno.test("iscsi --help names every command and every exit code within 80 columns", async () => {
  const { stdout, stderr, exitCode } = await runCommand(["--help"]);
  assertEquals([stderr, exitCode], ["", 0]);
  for (const { name, summary } of COMMANDS) {
    assert(
      stdout.split("\n").some((line) => line.startsWith(`  ${name} `) && line.endsWith(` ${summary}`)),
      name,
    );
  }
  assertStringIncludes(
    stdout,
    [
      "Exit codes:",
      "  0    done",
      "  1    failed: the message says why",
      "  2    wrong usage: unknown command, option or argument",
      "  3    the conf has errors, and nothing was done",
      "  130  interrupted",
      "  141  done, but the reader closed the output early",
      "",
    ].join("\n"),
  );
  assertEquals(await runCommand(["help"]), { stdout, stderr, exitCode });
  assertEquals(await runCommand([]), { stdout, stderr, exitCode });
});

Deno.test("iscsi help COMMAND fits into 80 columns", async () => {
  for (const args of [[], ...COMMANDS.map((command) => [command.name])]) {
    const { stdout, exitCode } = await runCommand(["help", ...args]);
    assertEquals(exitCode, 0);
    assertEquals(stdout.split("\n").filter((line) => line.length > 80), []);
  }
});

Deno.test("iscsi help build explains build", async () => {
  const { stdout } = await runCommand(["help", "build"]);
  assertEquals(
    stdout,
    `iscsi build: create and grow the backing files of a conf, and make it live

Usage: iscsi build [--conf FILE] [--dry-run] [--force] [--json]

Creates the storage folder, a sparse file for each LUN that has none, and the
identity by which initiators recognise the LUN. Makes files longer whose size
was raised. Never shrinks, overwrites or deletes a file. Does nothing while
anything is wrong; can be run again at any time.

A recorded disk whose file is missing, empty or shorter is lost. With --force an
empty disk with a new identity takes its place. --force also makes a file longer
that build did not make.

Then has the running server, if there is one, take over the conf, and prints the
changes. Sessions that a change does not affect are undisturbed. With --dry-run
it prints the plan, and the sessions that would notice.

Options:
  -c, --conf FILE  the conf (default /etc/netmanager/iscsi.conf)
  -n, --dry-run    print the plan, and change nothing
      --force      even end sessions, drop all targets, replace lost disks
      --json       print the result as JSON
  -h, --help       print this

Exit codes:
  0    done
  1    failed: the message says why
  2    wrong usage: unknown command, option or argument
  3    the conf has errors, and nothing was done
  130  interrupted
  141  done, but the reader closed the output early
`,
  );
  assertEquals((await runCommand(["build", "--help"])).stdout, stdout);
});

Deno.test("iscsi reports a usage error on standard error and exits with 2", async () => {
  assertEquals(await runCommand(["chekc"]), {
    stdout: "",
    stderr: 'iscsi: Unknown command "chekc": did you mean "check"?\nRun "iscsi --help" for help\n',
    exitCode: 2,
  });
  assertEquals(await runCommand(["build", "c.conf"]), {
    stdout: "",
    stderr: 'iscsi: Unexpected argument "c.conf" (use --conf c.conf)\nRun "iscsi build --help" for help\n',
    exitCode: 2,
  });
});

Deno.test("iscsi reports errors of the system, and throws its own faults", async () => {
  for (
    const [message, isReported] of [["No space left (os error 28)", true], ["x is undefined", false]] as const
  ) {
    let stderr = "";
    const run = runCommandLine(["--version"], {
      stdout: {
        write: () => {
          throw new Error(message);
        },
      },
      stderr: { write: (text) => stderr += text },
      version: "1",
    });
    if (!isReported) await assertRejects(() => run, Error, message);
    else assertEquals([await run, stderr], [1, `iscsi: ${message}\n`]);
  }
});

/** Returns the exit code and standard error of a command whose standard output fails. */
async function exitWith(failure: Error, ...args: readonly string[]): Promise<[code: number, stderr: string]> {
  const { exitCode, stderr } = await runCommand(args, undefined, { stdout: { write: () => {}, failure } });
  return [exitCode, stderr];
}

Deno.test("a command whose output cannot be written reports that and fails", async () => {
  const full = new Error("No space left on device (os error 28)");
  const told =
    `iscsi: Cannot write to standard output: ${full.message}; free space or inodes (\`df -i\`) and run it again\n`;
  assertEquals(await exitWith(full, "--version"), [1, told]);
  const [code, stderr] = await exitWith(full, "check", "--conf", "/nowhere");
  assertEquals([code, stderr.endsWith(told)], [1, true]);
});

Deno.test("a command whose reader has left reports nothing", async () => {
  const gone = new Deno.errors.BrokenPipe("Broken pipe (os error 32)");
  assertEquals(await exitWith(gone, "--version"), [141, ""]);
  assertEquals(
    (await exitWith(gone, "check", "--conf", "/nowhere"))[0],
    1,
    "why it failed is more than that",
  );
});

Deno.test("a server does not fail for want of a reader", () => {
  const servers = COMMANDS.filter(({ isServer }) => isServer).map(({ name }) => name);
  assertEquals(servers, ["serve", "demo"]);
});

Deno.test("a usage error repeats arguments without control characters", async () => {
  const typed = "\x1b[2J\n\u009b";
  for (const args of [[typed], ["check", "--conf", typed], ["check", `--${typed}`], ["build", typed]]) {
    const { stderr } = await runCommand(args);
    assert(stderr.includes("?[2J??"), stderr);
    assert(!stderr.includes("\x1b") && !stderr.includes("\u009b"), JSON.stringify(stderr));
  }
});

Deno.test("every command takes --json, and reports wrong usage as JSON too", async () => {
  for (const { name, options } of COMMANDS) {
    assert(options.includes("json"), name);
    const { stdout, stderr, exitCode } = await runCommand([name, "--json", "--nonsense"]);
    assertStringIncludes(stderr, 'Unknown option "--nonsense"');
    const { error } = JSON.parse(stdout);
    assertEquals([exitCode, error.exitCode], [2, 2], name);
    assertEquals(`iscsi: ${error.message}\n`, stderr, name);
  }
});

Deno.test("iscsi drops the rights that a command does not need before its code runs", async () => {
  for (const { name, rights } of COMMANDS.filter(({ name }) => name === "secret" || name === "check")) {
    const kept: (readonly RightName[])[] = [];
    const held = { has: () => true, keep: (names: readonly RightName[]) => void kept.push(names) };
    await runCommand([name, ...(name === "check" ? ["--conf", "/nowhere"] : [])], undefined, {
      rights: held,
    });
    assertEquals(kept, [rights], name);
  }
});

Deno.test("only the commands that change files, listen or reach the server may write or listen", () => {
  const withRight = (right: RightName): string[] =>
    COMMANDS.filter(({ rights }) => rights.includes(right)).map(({ name }) => name);
  const reaching = [
    "build",
    "serve",
    "reload",
    "status",
    "disconnect",
    "reservations",
    "copy",
    "trim",
    "completion",
    "demo",
  ];
  assertEquals(withRight("net"), reaching);
  assertEquals(withRight("write").toSorted(), [...reaching, "forget", "install"].toSorted());
  assertEquals(withRight("run"), ["check", "build", "serve", "status", "copy", "trim", "forget", "demo"]);
});
