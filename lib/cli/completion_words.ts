/** The shells that have a completion. */
export const SHELLS = ["bash", "fish", "zsh"] as const;

/** A shell that has a completion. */
export type Shell = typeof SHELLS[number];

/** The first arguments of `iscsi completion`. */
export const COMPLETION_WORDS: readonly string[] = [...SHELLS, "targets", "sessions", "unused"];
