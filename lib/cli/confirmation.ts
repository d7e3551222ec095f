import type { Context, TextWriter } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";

/** Most bytes of an answer. */
const ANSWER_BYTES = 1024;

/** How the person at the terminal is asked; undefined when nobody sits there. */
export function findConfirmation(writer: TextWriter): ((question: string) => Promise<boolean>) | undefined {
  if (!Deno.stdin.isTerminal()) return undefined;
  return async function confirm(question): Promise<boolean> {
    writer.write(`${question} [y/N] `);
    const buffer = new Uint8Array(ANSWER_BYTES);
    const count = await Deno.stdin.read(buffer);
    if (count === null) writer.write("\n");
    return /^\s*y(es)?\s*$/i.test(new TextDecoder().decode(buffer.subarray(0, count ?? 0)));
  };
}

/** Whether something is wanted: undefined when it is, else how the command ends, of which the user is told. */
export async function refuseUnlessConfirmed(
  context: Context,
  { yes, question, command }: { yes: boolean; question: string; command: string },
): Promise<ExitCode | undefined> {
  if (yes) return undefined;
  if (context.confirm === undefined) {
    context.stderr.write(`iscsi: Nobody is there to be asked: "iscsi ${command}" needs --yes\n`);
    return EXIT_CODES.wrongUsage.code;
  }
  if (await context.confirm(question)) return undefined;
  context.stderr.write("iscsi: Nothing was done\n");
  return EXIT_CODES.failed.code;
}
