import type { Consequence } from "../config/config_difference.ts";

/** The identification of a session. */
export interface TouchedSession {
  readonly initiator: string;
  readonly address: string;
  /** The name of its target in the conf. */
  readonly target: string;
}

/** A change of the served conf, as plain data for the worker's messages and the control socket. */
export interface ReportedChange {
  /** One line of text for people. */
  readonly description: string;
  readonly consequence: Consequence;
  /** The sessions that it affects, in the order of their logins. */
  readonly sessions: readonly TouchedSession[];
}
