/** Times of a supervisor, in milliseconds. */
export const SupervisorLimits = {
  /** How long a worker may take to end in order. */
  stopMs: 4_400,
  /** How long the process may take to end, of the 5 s that it has: what is not given back by then, the kernel does. */
  endMs: 4_800,
  /** How often the server's addresses are looked at. */
  interfacesMs: 5_000,
  /** How long a worker that ends may still have holes made; then what has not begun is left alone. */
  punchMs: 2_000,
  /** How long a worker may take to answer a question, unless told otherwise. */
  answerMs: 5_000,
  /** How often the worker is told what space there is. */
  spaceMs: 2_000,
  /** How long to wait before a worker is started again that crashed or could not start. */
  restartMs: 1_000,
} as const;
