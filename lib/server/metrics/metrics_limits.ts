/** The limits of the metrics endpoint, each with its unit. */
export const MetricsLimits = {
  /** Longest head of a request. */
  headBytes: 8_192,
  /** Most bytes that are read and discarded after a request. */
  drainedBytes: 65_536,
  /** Concurrent connections; further ones are closed. */
  connections: 16,
  /** Longest duration of a connection. */
  connectionMs: 10_000,
  /** Milliseconds for which a text is served to all clients. */
  freshMs: 1_000,
  /** Milliseconds before the worker is started again. */
  retryMs: 1_000,
  /** Milliseconds before listening is tried again. */
  listenAgainMs: 10_000,
} as const;
