import type { Context, TextWriter } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";

/** The most bytes of an answer. */
const ANSWER_BYTES = 1024;

/** Returns a function that asks at the terminal; undefined when standard input is not one. */
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

/**
 * Writes what a question is about. With `--json`, standard output has the document only, and the text is left out where
 * there is no question.
 */
export function writeSubject(
  text: string,
  { stdout, stderr, json }: Context,
  { yes }: { yes: boolean },
): void {
  if (json === undefined) stdout.write(text);
  else if (!yes) stderr.write(text);
}

/** Asks for confirmation; returns undefined for yes, else the exit code of the command, and reports the refusal. */
export async function refuseUnlessConfirmed(
  context: Context,
  { yes, question }: { yes: boolean; question: string },
): Promise<ExitCode | undefined> {
  if (yes) return undefined;
  if (context.confirm === undefined) {
    context.stderr.write("iscsi: Not a terminal, cannot ask: add --yes\n");
    return EXIT_CODES.wrongUsage.code;
  }
  if (await context.confirm(question)) return undefined;
  context.stderr.write("iscsi: Nothing was done\n");
  return EXIT_CODES.failed.code;
}
