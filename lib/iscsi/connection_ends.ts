/** The two ends of a connection, as addresses. */
export interface ConnectionEnds {
  readonly localAddress: string;
  readonly localPort: number;
  readonly peerAddress: string;
}
