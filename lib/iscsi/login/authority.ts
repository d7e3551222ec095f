/** The interface between a login and the node that decides about it. */
import type { ChapTerms } from "./chap.ts";
import type { LoginIdentity } from "./identity.ts";
import type { ProtocolError } from "../pdu/protocol_error.ts";

/** A decision about a login, and the proof required before it is sent. */
export interface Admission {
  /** Undefined when nothing has to be proved. */
  readonly chap: ChapTerms | undefined;
  /** Terms of CHAP for an initiator that insists on it where nothing has to be proved. */
  readonly needlessChap: ChapTerms;
  /** The reason why the login fails all the same; sent only after the required proof. */
  readonly refusal: ProtocolError | undefined;
  /** The friendly name of the target, if it declares one. */
  readonly alias: string | undefined;
}

/** The decisions that a login leaves to the node. */
export interface LoginAuthority {
  /** Logs a violation of the RFC that the target tolerates. */
  overlooked(what: string): void;
  /** Decides about an initiator that has declared its identity, before anything is negotiated. */
  authorize(identity: LoginIdentity): Admission;
  /**
   * Takes note that the initiator has proved its identity.
   *
   * @throws {ProtocolError} of kind `login` when the session to join does not exist
   */
  admitted(identity: LoginIdentity): void;
  /**
   * Begins the session, or joins the connection to it.
   *
   * @returns the target session identifying handle
   * @throws {ProtocolError} of kind `login` when there is no room
   */
  establish(identity: LoginIdentity): number;
}
