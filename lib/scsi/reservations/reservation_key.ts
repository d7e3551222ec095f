/** A reservation key: 64 opaque bits as 16 hexadecimal digits, since a `number` cannot hold them. */
export type ReservationKey = string;

/** The key that no registration has; it means "not registered" (SPC-4, 5.13.7). */
export const NO_KEY: ReservationKey = "0000000000000000";

const KEY_LENGTH_BYTES = 8;

/** Reads the key in the eight bytes at `offset`. */
export function readKey(bytes: Uint8Array, offset: number): ReservationKey {
  return bytes.subarray(offset, offset + KEY_LENGTH_BYTES).toHex();
}

/** Writes a key into the eight bytes at `offset`. */
export function writeKey(bytes: Uint8Array, offset: number, key: ReservationKey): void {
  bytes.set(Uint8Array.fromHex(key), offset);
}
