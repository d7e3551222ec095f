/** The limits of the control socket, each with its unit. */
export const ControlLimits = {
  /** Longest socket path that the kernel accepts (`sun_path` without its final zero). */
  socketPathBytes: 107,
  /** Longest request, with its end of line. */
  requestBytes: 64 * 1024,
  /** Longest line of an answer: the status of a server with thousands of LUNs fits. */
  replyBytes: 16 * 1024 * 1024,
  /** Concurrent clients; further ones wait for one to leave. */
  clients: 16,
  /** Milliseconds in which a client must send its request. */
  requestMs: 5_000,
  /** Milliseconds in which a client must read a line. */
  replyMs: 10_000,
  /** Milliseconds that the server waits for a request beyond the client's limit. */
  patienceMs: 5_000,
} as const;
