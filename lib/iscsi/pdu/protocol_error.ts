import type { Redirection } from "../../config/redirection.ts";
import { LoginStatus } from "./login_status.ts";
import type { RejectReason } from "./reject_reason.ts";
import type { RefusalReason } from "../events/refusal_reason.ts";
import { errorMessage } from "../../base/error_message.ts";

/**
 * A peer's fault. It is thrown where it is found, and answered in one place each by its kind:
 *
 * - `reject`: the PDU is answered with a Reject and the connection goes on (`FullFeaturePhase.receive`);
 * - `login`: the login is answered with a status, then the connection is closed (`Connection`), be the fault the peer's
 *   or our own;
 * - `redirect`: likewise, with the address where the target is to be found (`Connection`);
 * - `session`: a PDU contradicts its own layout, and all connections of its session are closed (`Connection`);
 * - `close`: the stream can no longer be understood or trusted, and the connection is closed (`Connection`).
 */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly response: ProtocolErrorResponse;

  constructor(response: ProtocolErrorResponse, message: string) {
    super(message);
    this.response = response;
  }
}

/** What the peer is answered. */
export type ProtocolErrorResponse =
  | { readonly kind: "reject"; readonly reason: RejectReason }
  | ({ readonly kind: "login"; readonly status: LoginStatus } & LoginRefusal)
  | { readonly kind: "session" }
  /** The target is to be found elsewhere. */
  | { readonly kind: "redirect"; readonly status: LoginStatus; readonly targetAddress: string }
  | { readonly kind: "close" };

/** Why a login is refused, for our log only. */
export interface LoginRefusal {
  readonly reason: RefusalReason;
  /** What exactly refused. */
  readonly rule: string;
}

/** A fault that is answered with a Reject. */
export type Rejection = ProtocolError & {
  readonly response: ProtocolErrorResponse & { readonly kind: "reject" };
};

/** The PDU cannot be carried out: it is answered with a Reject (RFC 7143, 11.17). */
export function rejected(reason: RejectReason, message: string): Rejection {
  return new ProtocolError({ kind: "reject", reason }, message) as Rejection;
}

/** Whether a PDU is to be answered with a Reject for this, and everything else goes on. */
export function isRejection(error: unknown): error is Rejection {
  return error instanceof ProtocolError && error.response.kind === "reject";
}

/** The login fails with a status (RFC 7143, 11.13.5), as it is against the rules of the protocol. */
export function loginFailed(status: LoginStatus, message: string): ProtocolError {
  return new ProtocolError({ kind: "login", status, reason: "protocol", rule: message }, message);
}

/** The login of an initiator that keeps to the protocol is refused; undefined if it has not said who it is. */
export function loginRefused(
  status: LoginStatus,
  initiatorName: string | undefined,
  { reason, rule }: LoginRefusal,
): ProtocolError {
  const message = `login${initiatorName === undefined ? "" : ` of "${initiatorName}"`} refused: ${rule}`;
  return new ProtocolError({ kind: "login", status, reason, rule }, message);
}

/** The login of an initiator, if it has said who it is, fails by a fault of our own. */
export function loginBroken(initiatorName: string | undefined, fault: unknown): ProtocolError {
  const rule = `the target has failed: ${errorMessage(fault)}`;
  return loginRefused(LoginStatus.targetError, initiatorName, { reason: "fault", rule });
}

/** Whether a login fails because there is no room for its connection, which may change. */
export function isForWantOfRoom(error: unknown): boolean {
  if (!(error instanceof ProtocolError) || error.response.kind !== "login") return false;
  const { status } = error.response;
  return status === LoginStatus.outOfResources || status === LoginStatus.tooManyConnections;
}

/** A format error (RFC 7143, 7.7), which shows that one of both sides does not know the protocol. */
export function formatError(message: string): ProtocolError {
  return new ProtocolError({ kind: "session" }, message);
}

/** The login is sent on to another address (RFC 7143, 11.13.5). */
export function redirected({ targetAddress, isPermanent }: Redirection, message: string): ProtocolError {
  const status = isPermanent ? LoginStatus.movedPermanently : LoginStatus.movedTemporarily;
  return new ProtocolError({ kind: "redirect", status, targetAddress }, message);
}

/** The connection cannot go on. */
export function connectionBroken(message: string): ProtocolError {
  return new ProtocolError({ kind: "close" }, message);
}
