/** The CRC32C (Castagnoli) polynomial, bit-reversed. */
const POLYNOMIAL = 0x82f63b78;

/** Bytes per step of the table lookup ("slicing by 8"). */
export const CRC32C_SLICES = 8;

/** `CRC32C_TABLES[n * 256 + byte]` is the contribution of a byte that `n` more bytes follow. */
export const CRC32C_TABLES: Int32Array = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(CRC32C_SLICES * 256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value >>> 1 ^ (value & 1 ? POLYNOMIAL : 0);
    tables[byte] = value;
  }
  for (let index = 256; index < tables.length; index++) {
    const before = tables[index - 256]!;
    tables[index] = before >>> 8 ^ tables[before & 0xff]!;
  }
  return tables;
}

/** Returns the CRC32C of the bytes from `start` to `end`; `previous` is the CRC of the bytes before them. */
export function crc32c(bytes: Uint8Array, previous = 0, start = 0, end: number = bytes.length): number {
  const tables = CRC32C_TABLES;
  let value = ~previous;
  let index = start;
  for (; index + CRC32C_SLICES <= end; index += CRC32C_SLICES) {
    value ^= bytes[index]! | bytes[index + 1]! << 8 | bytes[index + 2]! << 16 | bytes[index + 3]! << 24;
    value = tables[7 * 256 + (value & 0xff)]! ^ tables[6 * 256 + (value >>> 8 & 0xff)]! ^
      tables[5 * 256 + (value >>> 16 & 0xff)]! ^ tables[4 * 256 + (value >>> 24)]! ^
      tables[3 * 256 + bytes[index + 4]!]! ^ tables[2 * 256 + bytes[index + 5]!]! ^
      tables[256 + bytes[index + 6]!]! ^ tables[bytes[index + 7]!]!;
  }
  for (; index < end; index++) value = value >>> 8 ^ tables[(value ^ bytes[index]!) & 0xff]!;
  return ~value >>> 0;
}
