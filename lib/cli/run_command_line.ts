import { ProvisionError, reasonOf } from "../provision/provision_error.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { commandHelp, programHelp } from "./help.ts";
import { type CommandLine, parseCommandLine } from "./parse_command_line.ts";
import { printable } from "./show_text.ts";

/**
 * Does what the arguments of the process ask for.
 *
 * @throws {Error} (rejects) only when this program is at fault; what the system refuses is reported
 */
export async function runCommandLine(args: readonly string[], context: Context): Promise<ExitCode> {
  try {
    const commandLine = parseCommandLine(args);
    const exitCode = await execute(commandLine, context);
    const isServer = commandLine.kind === "run" && commandLine.command.isServer === true;
    return isServer ? exitCode : judgeOutput(exitCode, context);
  } catch (error) {
    if (!(error instanceof Error) || !isOutsideFault(error)) throw error;
    context.stderr.write(`iscsi: ${error.message}\n`);
    return EXIT_CODES.failed.code;
  }
}

async function execute(commandLine: CommandLine, context: Context): Promise<ExitCode> {
  switch (commandLine.kind) {
    case "wrong":
      context.stderr.write(`iscsi: ${printable(commandLine.problem)}\nRun "iscsi --help" for help\n`);
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
      const run = await commandLine.command.load();
      return await run(context, commandLine.options, commandLine.args);
    }
  }
}

/** How a command ends whose output may not have arrived, which is told unless its reader did not want more. */
function judgeOutput(exitCode: ExitCode, { stdout: { failure }, stderr }: Context): ExitCode {
  if (failure === undefined) return exitCode;
  const isReaderGone = failure instanceof Deno.errors.BrokenPipe;
  if (!isReaderGone) stderr.write(`iscsi: Cannot write to standard output: ${reasonOf(failure)}\n`);
  if (exitCode !== EXIT_CODES.done.code) return exitCode;
  return isReaderGone ? EXIT_CODES.readerGone.code : EXIT_CODES.failed.code;
}

/** Whether an error is the system's answer, rather than a fault of this program, which deserves a stack trace. */
function isOutsideFault(error: Error): boolean {
  return error instanceof ProvisionError || error instanceof Deno.errors.NotCapable ||
    /\(os error \d+\)/.test(error.message);
}
