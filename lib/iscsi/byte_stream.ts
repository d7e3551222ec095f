/** A connected socket or a substitute: the part of `Deno.TcpConn` that a connection uses. */
export interface ByteStream {
  /** Reads at least one byte; returns null at the end of the stream. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes at least one byte, and returns the number of bytes written. */
  write(from: Uint8Array): Promise<number>;
  /** Closes the stream in both directions; pending reads and writes reject. */
  close(): void;
}

/** The two addresses of a connection. */
export interface ConnectionEnds {
  readonly localAddress: string;
  readonly localPort: number;
  readonly peerAddress: string;
}
