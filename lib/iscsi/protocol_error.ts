import type { LoginStatus } from "./login_status.ts";
import type { RejectReason } from "./reject_reason.ts";

/**
 * A peer's fault. It is thrown where it is found, and answered in one place each by its kind:
 *
 * - `reject`: the PDU is answered with a Reject and the connection goes on (`FullFeaturePhase.receive`);
 * - `login`: the login is answered with a status, then the connection is closed (`Connection`);
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
  | { readonly kind: "login"; readonly status: LoginStatus }
  | { readonly kind: "close" };

/** The PDU cannot be carried out: it is answered with a Reject (RFC 7143, 11.17). */
export function rejected(reason: RejectReason, message: string): ProtocolError {
  return new ProtocolError({ kind: "reject", reason }, message);
}

/** The login fails with a status (RFC 7143, 11.13.5). */
export function loginFailed(status: LoginStatus, message: string): ProtocolError {
  return new ProtocolError({ kind: "login", status }, message);
}

/** The connection cannot go on. */
export function connectionBroken(message: string): ProtocolError {
  return new ProtocolError({ kind: "close" }, message);
}
