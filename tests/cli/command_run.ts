import type { Context } from "../../lib/cli/context.ts";
import { runCommandLine } from "../../lib/cli/run_command_line.ts";

/** The output and exit code of a command. */
export interface CommandRun {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** Runs `iscsi` with arguments in this process. Scratch folders in its output are shown as `/scratch`. */
export async function runCommand(
  args: readonly string[],
  scratch?: string,
  surroundings: Partial<Context> = {},
): Promise<CommandRun> {
  let [stdout, stderr] = ["", ""];
  const exitCode = await runCommandLine(args, {
    stdout: { write: (text) => stdout += text },
    stderr: { write: (text) => stderr += text },
    version: "1.2.3",
    ...surroundings,
  });
  const show = (text: string): string => scratch === undefined ? text : text.replaceAll(scratch, "/scratch");
  return { stdout: show(stdout), stderr: show(stderr), exitCode };
}
