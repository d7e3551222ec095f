import type { Consequence } from "../config/config_difference.ts";

/** A session, as far as it takes to know which one it is. */
export interface TouchedSession {
  readonly initiator: string;
  readonly address: string;
  /** The name of its target in the conf. */
  readonly target: string;
}

/** A change of what is served: plain data, as it goes from the worker over the control socket to whoever asked. */
export interface ReportedChange {
  /** In a line, for people. */
  readonly description: string;
  readonly consequence: Consequence;
  /** The sessions that it concerns, in the order in which they began. */
  readonly sessions: readonly TouchedSession[];
}
