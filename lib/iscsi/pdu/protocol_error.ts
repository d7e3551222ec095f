import type { Redirection } from "../../config/redirection.ts";
import { LoginStatus } from "./login_status.ts";
import type { RejectReason } from "./reject_reason.ts";
import type { RefusalReason } from "../events/refusal_reason.ts";
import { quoteWord } from "../../base/quoted_words.ts";
import { errorMessage } from "../../base/error_message.ts";

/**
 * A violation of the protocol, or a refusal, thrown where it is detected. Its kind determines the response, which is
 * made in one place each:
 *
 * - `reject`: a Reject answers the PDU, and the connection continues (`FullFeaturePhase`);
 * - `login`: a Login Response with a status answers the login, and the connection is closed (`Connection`); also for a
 *   fault of the target itself;
 * - `redirect`: the same, with the address of the target (`Connection`);
 * - `session`: all connections of the session are closed, because a PDU has an invalid format (`Connection`);
 * - `close`: the connection is closed, because its stream can no longer be understood or trusted (`Connection`).
 */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly response: ProtocolErrorResponse;

  constructor(response: ProtocolErrorResponse, message: string) {
    super(message);
    this.response = response;
  }
}

/** The response to a peer. */
export type ProtocolErrorResponse =
  | { readonly kind: "reject"; readonly reason: RejectReason }
  | ({ readonly kind: "login"; readonly status: LoginStatus } & LoginRefusal)
  | { readonly kind: "session" }
  | { readonly kind: "redirect"; readonly status: LoginStatus; readonly targetAddress: string }
  | { readonly kind: "close" };

/** The reason why a login is refused, for the log only. */
export interface LoginRefusal {
  readonly reason: RefusalReason;
  /** The exact rule that refused it. */
  readonly rule: string;
}

/** A fault to be answered with a Reject. */
export type Rejection = ProtocolError & {
  readonly response: ProtocolErrorResponse & { readonly kind: "reject" };
};

/** Returns a fault to be answered with a Reject (RFC 7143, 11.17). */
export function rejected(reason: RejectReason, message: string): Rejection {
  return new ProtocolError({ kind: "reject", reason }, message) as Rejection;
}

/** Returns whether an error is to be answered with a Reject. */
export function isRejection(error: unknown): error is Rejection {
  return error instanceof ProtocolError && error.response.kind === "reject";
}

/** Returns the failure of a login that violates the protocol (RFC 7143, 11.13.5). */
export function loginFailed(status: LoginStatus, message: string): ProtocolError {
  return new ProtocolError({ kind: "login", status, reason: "protocol", rule: message }, message);
}

/** Returns the refusal of a login that follows the protocol; its initiator may be unknown yet. */
export function loginRefused(
  status: LoginStatus,
  initiatorName: string | undefined,
  { reason, rule }: LoginRefusal,
): ProtocolError {
  const message = `login${
    initiatorName === undefined ? "" : ` of ${quoteWord(initiatorName)}`
  } refused: ${rule}`;
  return new ProtocolError({ kind: "login", status, reason, rule }, message);
}

/** Returns the failure of a login by a fault of the target itself; its initiator may be unknown yet. */
export function loginBroken(initiatorName: string | undefined, fault: unknown): ProtocolError {
  const rule = `the target has failed: ${errorMessage(fault)}`;
  return loginRefused(LoginStatus.targetError, initiatorName, { reason: "fault", rule });
}

/** Returns whether a login fails because there is no room for its connection; a later attempt may succeed. */
export function isForWantOfRoom(error: unknown): boolean {
  if (!(error instanceof ProtocolError) || error.response.kind !== "login") return false;
  const { status } = error.response;
  return status === LoginStatus.outOfResources || status === LoginStatus.tooManyConnections;
}

/** Returns a format error (RFC 7143, 7.7), which ends the session. */
export function formatError(message: string): ProtocolError {
  return new ProtocolError({ kind: "session" }, message);
}

/** Returns the redirection of a login to another address (RFC 7143, 11.13.5). */
export function redirected({ targetAddress, isPermanent }: Redirection, message: string): ProtocolError {
  const status = isPermanent ? LoginStatus.movedPermanently : LoginStatus.movedTemporarily;
  return new ProtocolError({ kind: "redirect", status, targetAddress }, message);
}

/** Returns a fault that ends the connection. */
export function connectionBroken(message: string): ProtocolError {
  return new ProtocolError({ kind: "close" }, message);
}
