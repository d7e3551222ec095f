/**
 * `bytes.subarray(start, end)` in half the time: `subarray` first looks whether a derived class wants another
 * constructor. Several of these are made for every PDU.
 */
export function view(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}
