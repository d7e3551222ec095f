/** The polynomial of CRC32C (Castagnoli), bits reversed. */
const POLYNOMIAL = 0x82f63b78;

/** What each byte comes to. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value >>> 1 ^ (value & 1 ? POLYNOMIAL : 0);
  return value;
});

/** CRC32C of bytes; `previous` is the CRC of what came before them. */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  let value = ~previous;
  for (let index = 0; index < bytes.length; index++) {
    value = value >>> 8 ^ TABLE[(value ^ bytes[index]!) & 0xff]!;
  }
  return ~value >>> 0;
}
