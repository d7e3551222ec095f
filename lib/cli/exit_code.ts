/** What the process tells its caller when it ends, and what each code means. */
export const EXIT_CODES = {
  done: { code: 0, meaning: "done" },
  failed: { code: 1, meaning: "failed: the message says why" },
  wrongUsage: { code: 2, meaning: "wrong usage: unknown command, option or argument" },
  confErrors: { code: 3, meaning: "the conf has errors, and nothing was done" },
  interrupted: { code: 130, meaning: "interrupted" },
  /** What a shell makes of SIGPIPE, by which most programs end then. */
  readerGone: { code: 141, meaning: "done, but nobody has read the output to its end" },
} as const;

/** One of the codes of `EXIT_CODES`. */
export type ExitCode = typeof EXIT_CODES[keyof typeof EXIT_CODES]["code"];
