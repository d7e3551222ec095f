/** Length of the basic header segment in bytes. */
export const BASIC_HEADER_BYTES = 48;

/** One PDU where it lies in the receive buffer: valid until the buffer is asked for free space. */
export interface Frame {
  /** The header segments: the basic one at offset 0, additional ones behind it. */
  readonly header: Uint8Array;
  /** The data segment without its padding. */
  readonly data: Uint8Array;
  /** The data segment is not what its digest says: the PDU is to be rejected, and nothing of the data to be used. */
  readonly hasDataDigestError: boolean;
}

/** The next multiple of 4, to which data segments are padded (RFC 7143, 11.2.3). */
export function paddedLength(length: number): number {
  return (length + 3) & ~3;
}
