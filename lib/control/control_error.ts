/** Why a request to the server has come to nothing. */
export type ControlFault =
  /** Nobody listens at the socket. */
  | "noServer"
  /** The files do not let this user. */
  | "notPermitted"
  /** The server says no, in its own words. */
  | "refused"
  /** What came is not the protocol, or did not come in time. */
  | "broken";

/** A request to the server has come to nothing; the message is for the user. */
export class ControlError extends Error {
  override readonly name = "ControlError";
  readonly kind: ControlFault;

  constructor(kind: ControlFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
