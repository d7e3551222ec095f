/** Every limit of the metrics endpoint, with its unit. */
export const MetricsLimits = {
  /** The head of a request. */
  headBytes: 8_192,
  /** What is read behind a request and thrown away. */
  drainedBytes: 65_536,
  /** Connections at once; more are closed. */
  connections: 16,
  /** How long a connection may take, from being accepted to being closed. */
  connectionMs: 10_000,
  /** How long a text serves all who ask. */
  freshMs: 1_000,
  /** How long to wait before another start. */
  retryMs: 1_000,
  /** How long to wait before another attempt to listen where it failed. */
  listenAgainMs: 10_000,
} as const;
