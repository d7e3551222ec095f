/** What a command counts as, as an index into what is counted apart. */
export const CommandKind = { read: 0, write: 1, other: 2 } as const;

/** One of the values of `CommandKind`. */
export type CommandKind = typeof CommandKind[keyof typeof CommandKind];
