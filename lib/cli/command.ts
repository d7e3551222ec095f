import type { Context } from "./context.ts";
import type { ExitCode } from "./exit_code.ts";
import type { OptionName, OptionValues } from "./options.ts";

/** Does what a command is for, and says how it went. */
export type RunCommand = (
  context: Context,
  options: OptionValues,
  args: readonly string[],
) => Promise<ExitCode>;

/** The arguments of a command, besides options. */
export interface CommandArguments {
  /** As in a usage. */
  readonly syntax: string;
  /** How many there may be. */
  readonly min: number;
  readonly max: number;
  /** All that the first can be, if it is one of a few words. */
  readonly words?: readonly string[];
}

/** One command of the program. */
export interface Command {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** What a user should know besides the options; one paragraph an entry. */
  readonly description: readonly string[];
  /** Undefined when it takes none. */
  readonly arguments?: CommandArguments;
  readonly options: readonly OptionName[];
  /** It goes on when nobody reads its output, or that cannot be written: its end is about what it serves. */
  readonly isServer?: true;
  /** Loads the code, so that a command costs no more time to start than it needs itself. */
  readonly load: () => Promise<RunCommand>;
}
