/** What a peer of the control socket may hold or do, each with its unit. */
export const ControlLimits = {
  /** Longest path of a socket that the kernel takes (`sun_path` without its final zero). */
  socketPathBytes: 107,
  /** Longest request, with its end of line. */
  requestBytes: 64 * 1024,
  /** Longest line of an answer: the status of a server with thousands of LUNs fits. */
  replyBytes: 16 * 1024 * 1024,
  /** Clients at the same time; more wait until one has left. */
  clients: 16,
  /** How long a client may take to say what it wants. */
  requestMs: 5_000,
  /** How long a client may take to take in a line. */
  replyMs: 10_000,
  /** How much longer than its client the server waits for the end of a request, before it lets go of both. */
  patienceMs: 5_000,
} as const;
