/** Reasons why a connection or a login is refused. */
export const REFUSAL_REASONS = [
  /** The target does not exist. */
  "target",
  /** The option `networks` or `initiators`, of the target or global. */
  "networks",
  "initiators",
  /** The initiator did not prove its identity. */
  "authentication",
  /** A limit is reached. */
  "limit",
  /** The login takes too long. */
  "time",
  /** The login violates the protocol. */
  "protocol",
  /** The target itself has failed. */
  "fault",
] as const;

/** One of the reasons. */
export type RefusalReason = typeof REFUSAL_REASONS[number];
