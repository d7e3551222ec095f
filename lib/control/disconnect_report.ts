/** Which sessions are to end. */
export interface DisconnectRequest {
  /** By their numbers, the target session identifying handles. */
  readonly sessions: readonly number[];
  /** At once, and not when their initiators have logged out. */
  readonly now: boolean;
}

/** What became of sessions that were to end. */
export interface DisconnectReport {
  readonly ended: readonly number[];
  /** Those that are still there, which should not be. */
  readonly remaining: readonly number[];
}
