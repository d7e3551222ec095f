/** The task attributes (SAM-5, 8.6). A command without one is SIMPLE. */
export const TaskAttribute = { simple: 0, ordered: 1, headOfQueue: 2, aca: 3 } as const;

/** One of the task attributes. */
export type TaskAttribute = typeof TaskAttribute[keyof typeof TaskAttribute];
