/** The exit codes of the process, with their meanings. */
export const EXIT_CODES = {
  done: { code: 0, meaning: "done" },
  failed: { code: 1, meaning: "failed: the message says why" },
  wrongUsage: { code: 2, meaning: "wrong usage: unknown command, option or argument" },
  confErrors: { code: 3, meaning: "the conf has errors, and nothing was done" },
  interrupted: { code: 130, meaning: "interrupted" },
  /** The code that a shell gives to a program that SIGPIPE has ended. */
  readerGone: { code: 141, meaning: "done, but the reader closed the output early" },
} as const;

/** One of the codes of `EXIT_CODES`. */
export type ExitCode = typeof EXIT_CODES[keyof typeof EXIT_CODES]["code"];
