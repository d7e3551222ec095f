/** Why a request to the server has come to nothing. */
export type ControlFault =
  /** Nobody listens at the socket. */
  | "noServer"
  /** The files do not let this user. */
  | "notPermitted"
  /** The system does not let anybody; the server was not asked. */
  | "unreachable"
  /** The server says no, in its own words. */
  | "refused"
  /** It was asked, but what came is not the protocol, or did not come in time: what it does about it is not known. */
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
