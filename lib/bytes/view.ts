/**
 * Returns `bytes.subarray(start, end)` in half the time: `subarray` first looks up the constructor of a derived class.
 * The hot path makes several views for each PDU.
 */
export function view(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}
