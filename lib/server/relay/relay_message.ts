import type { ConnectionEnds } from "../../iscsi/byte_stream.ts";

/**
 * A message between the two ends of a link about one connection, identified by the number that the relay gave it. Only
 * the relay sends `open`.
 */
export type RelayMessage =
  | { readonly kind: "open"; readonly id: number; readonly ends: ConnectionEnds }
  /** Bytes of the stream, in order; the buffer now belongs to the receiver. */
  | { readonly kind: "data"; readonly id: number; readonly bytes: Uint8Array<ArrayBuffer> }
  /** The receiver has read this number of bytes, so as many more may be sent. */
  | { readonly kind: "taken"; readonly id: number; readonly bytes: number }
  /** The sender ends its output, and still reads. */
  | { readonly kind: "end"; readonly id: number }
  /** The sender ends its output, and reads nothing more. */
  | { readonly kind: "close"; readonly id: number };

/** The port of a link, shaped like a `MessagePort`. */
export interface RelayPort {
  postMessage(message: RelayMessage, transfer: ArrayBuffer[]): void;
  onmessage: ((event: MessageEvent<RelayMessage>) => void) | null;
}
