import { ProvisionError, reasonOf } from "../provision/provision_error.ts";
import type { Command } from "./command.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { commandHelp, programHelp } from "./help.ts";
import { JsonOutput } from "./json_output.ts";
import { OPTIONS } from "./options.ts";
import { type CommandLine, parseCommandLine } from "./parse_command_line.ts";
import { printable } from "./show_text.ts";
import { errnoOf } from "../base/error_message.ts";

/**
 * Runs the command of the process.
 *
 * @throws {Error} (rejects) only for a fault of this program; errors of the system are reported
 */
export async function runCommandLine(args: readonly string[], context: Context): Promise<ExitCode> {
  const commandLine = parseCommandLine(args);
  const json = wantsJson(commandLine, args) ? new JsonOutput(context) : undefined;
  const exitCode = await executeOrReport(
    commandLine,
    json === undefined ? context : { ...context, stderr: json.stderr, json },
  );
  json?.end(exitCode);
  const isServer = commandLine.kind === "run" && commandLine.command.isServer === true;
  return isServer ? exitCode : exitCodeAfterOutput(exitCode, context);
}

/** Returns true for a command with `--json`, also where the command line is wrong otherwise. */
function wantsJson(commandLine: CommandLine, args: readonly string[]): boolean {
  if (commandLine.kind === "run") return commandLine.options.json;
  return commandLine.kind === "wrong" && args.includes(`--${OPTIONS.json.flag}`);
}

async function executeOrReport(commandLine: CommandLine, context: Context): Promise<ExitCode> {
  try {
    return await execute(commandLine, context);
  } catch (error) {
    if (!(error instanceof Error) || !isSystemError(error)) throw error;
    context.stderr.write(
      `iscsi: ${error instanceof Deno.errors.NotCapable ? reasonOf(error) : error.message}\n`,
    );
    return EXIT_CODES.failed.code;
  }
}

async function execute(commandLine: CommandLine, context: Context): Promise<ExitCode> {
  switch (commandLine.kind) {
    case "wrong":
      context.stderr.write(
        `iscsi: ${printable(commandLine.problem)}\nRun "${helpOf(commandLine.command)}" for help\n`,
      );
      return EXIT_CODES.wrongUsage.code;
    case "help": {
      const { command } = commandLine;
      context.stdout.write(command === undefined ? programHelp(context.version) : commandHelp(command));
      return EXIT_CODES.done.code;
    }
    case "version":
      context.stdout.write(`iscsi ${context.version}\n`);
      return EXIT_CODES.done.code;
    case "run": {
      context.rights?.keep(commandLine.command.rights);
      const run = await commandLine.command.load();
      return await run(context, commandLine.options, commandLine.args);
    }
  }
}

function helpOf(command: Command | undefined): string {
  return command === undefined ? "iscsi --help" : `iscsi ${command.name} --help`;
}

/** Returns the exit code of a command whose output may be lost; reports the loss unless the reader has left. */
function exitCodeAfterOutput(exitCode: ExitCode, { stdout: { failure }, stderr }: Context): ExitCode {
  if (failure === undefined) return exitCode;
  const isReaderGone = failure instanceof Deno.errors.BrokenPipe;
  if (!isReaderGone) stderr.write(`iscsi: Cannot write to standard output: ${reasonOf(failure)}\n`);
  if (exitCode !== EXIT_CODES.done.code) return exitCode;
  return isReaderGone ? EXIT_CODES.readerGone.code : EXIT_CODES.failed.code;
}

/** Returns true for an error of the system; a fault of this program gets a stack trace. */
function isSystemError(error: Error): boolean {
  return error instanceof ProvisionError || error instanceof Deno.errors.NotCapable ||
    errnoOf(error) !== undefined;
}
