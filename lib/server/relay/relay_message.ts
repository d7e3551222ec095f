import type { ConnectionEnds } from "../../iscsi/byte_stream.ts";

/**
 * What the two ends of a relay say to each other of one connection, by the number that the relay gave it. Both ends
 * speak alike, but for `open`, which only the relay says.
 */
export type RelayMessage =
  | { readonly kind: "open"; readonly id: number; readonly ends: ConnectionEnds }
  /** Bytes of the stream, in order; the buffer now belongs to the receiver. */
  | { readonly kind: "data"; readonly id: number; readonly bytes: Uint8Array<ArrayBuffer> }
  /** So many bytes have been taken out of the stream: as many more may be sent. */
  | { readonly kind: "taken"; readonly id: number; readonly bytes: number }
  /** No more bytes will come; some may still be taken. */
  | { readonly kind: "end"; readonly id: number }
  /** No more bytes will come, and none will be taken. */
  | { readonly kind: "close"; readonly id: number };

/** Where messages go out and come in: a `MessagePort` has this shape. */
export interface RelayPort {
  postMessage(message: RelayMessage, transfer: ArrayBuffer[]): void;
  onmessage: ((event: MessageEvent<RelayMessage>) => void) | null;
}
