/** The kind of a failed control request. */
export type ControlFault =
  /** No server listens at the socket. */
  | "noServer"
  /** File permissions deny this user access to the socket. */
  | "notPermitted"
  /** The system could not connect; the server received no request. */
  | "unreachable"
  /** The server refused the request, with its own message. */
  | "refused"
  /** The answer was invalid or late; it is unknown whether the server carried out the request. */
  | "broken";

/** A control request that failed; the message is for the user. */
export class ControlError extends Error {
  override readonly name = "ControlError";
  readonly kind: ControlFault;

  constructor(kind: ControlFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
