import type { Context } from "./context.ts";
import type { RightName } from "../server/held_rights.ts";
import type { ExitCode } from "./exit_code.ts";
import type { OptionName, OptionValues } from "./options.ts";

/** Runs a command and returns its exit code. */
export type RunCommand = (
  context: Context,
  options: OptionValues,
  args: readonly string[],
) => Promise<ExitCode>;

/** Names of the conf and of the running server that a shell proposes for an argument. */
export type CompletionKind = "targets" | "sessions" | "unused";

/** The arguments of a command, besides options. */
export interface CommandArguments {
  /** The arguments in a usage. */
  readonly syntax: string;
  /** The number of arguments. */
  readonly min: number;
  readonly max: number;
  /** The choices of the first argument, if it is one of a few words. */
  readonly words?: readonly string[];
  /** The names that a shell proposes for the first argument, or for the second one after a word. */
  readonly completes?: CompletionKind;
}

/** One command of the program. */
export interface Command {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** The help text without the options; one paragraph an entry. */
  readonly description: readonly string[];
  /** Undefined when the command takes none. */
  readonly arguments?: CommandArguments;
  readonly options: readonly OptionName[];
  /** The kinds of rights that it needs; all others are dropped before its code is loaded. */
  readonly rights: readonly RightName[];
  /** The command keeps running when its output cannot be written; its exit code is that of the server. */
  readonly isServer?: true;
  /** Loads the code of this command only, which keeps the start short. */
  readonly load: () => Promise<RunCommand>;
}
