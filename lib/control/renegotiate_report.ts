import type { NegotiationOutcome } from "../iscsi/negotiation/negotiation_request.ts";

/** Whose initiators are to negotiate. */
export interface RenegotiateRequest {
  /** By their numbers, the target session identifying handles. */
  readonly sessions: readonly number[];
}

/** What has come of asking the initiator of a session to negotiate. */
export interface AskedSession {
  /** Its number. */
  readonly session: number;
  readonly outcome: NegotiationOutcome;
}

/** What has come of asking all of them. */
export interface RenegotiateReport {
  readonly sessions: readonly AskedSession[];
}
