/** A connected socket, or whatever stands in for one: what `Deno.TcpConn` offers of it. */
export interface ByteStream {
  /** Reads at least one byte; null at the end of the stream. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes at least one byte and returns how many. */
  write(from: Uint8Array): Promise<number>;
  /** Ends the stream in both directions; reads and writes under way reject. */
  close(): void;
}

/** The two ends of a connection, as addresses. */
export interface ConnectionEnds {
  readonly localAddress: string;
  readonly localPort: number;
  readonly peerAddress: string;
}
