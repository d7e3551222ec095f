/** Why a connection or a login is refused. */
export const REFUSAL_REASONS = [
  /** There is no such target. */
  "target",
  /** An option of the target's, or of all targets. */
  "networks",
  "initiators",
  /** Who the initiator is, it could not prove. */
  "authentication",
  /** There is no room for one more. */
  "limit",
  /** It takes too long. */
  "time",
  /** The login is against the rules of the protocol. */
  "protocol",
  /** The target itself has failed. */
  "fault",
] as const;

/** One of the reasons. */
export type RefusalReason = typeof REFUSAL_REASONS[number];
