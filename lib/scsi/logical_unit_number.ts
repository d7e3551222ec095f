/**
 * The encoding of logical unit numbers: eight bytes (SAM-5, 4.7), of which a target with a single level of logical
 * units uses the first two.
 *
 * ```text
 *        7   6 | 5   4   3   2   1   0
 *      +-------+------------------------+
 *    0 |method | bus (0)  or  LUN high  |   method 00b: peripheral device addressing (4.7.7.2)
 *    1 | LUN                            |   method 01b: flat space addressing (4.7.7.3)
 *  2-7 | zero                           |
 *      +--------------------------------+
 * ```
 */

/** The highest number in flat space addressing: 14 bits. */
const LUN_MAX = 0x3fff;

const METHOD_PERIPHERAL = 0b00;
const METHOD_FLAT = 0b01;

/** Decodes the logical unit number in the eight bytes at `offset`; undefined for a form that is not supported. */
export function decodeLun(bytes: Uint8Array, offset: number): number | undefined {
  for (let index = offset + 2; index < offset + 8; index++) {
    if (bytes[index] !== 0) return undefined;
  }
  const high = bytes[offset]!;
  const low = bytes[offset + 1]!;
  switch (high >>> 6) {
    case METHOD_PERIPHERAL:
      return high === 0 ? low : undefined;
    case METHOD_FLAT:
      return (high & 0x3f) << 8 | low;
    default:
      return undefined;
  }
}

/**
 * Encodes a logical unit number into the eight bytes at `offset`, in the shorter method that can hold it.
 *
 * @throws {RangeError} when the number has more than 14 bits
 */
export function encodeLun(lun: number, into: Uint8Array, offset: number): void {
  if (!Number.isInteger(lun) || lun < 0 || lun > LUN_MAX) {
    throw new RangeError(`Cannot encode logical unit number ${lun}: it must be 0 to ${LUN_MAX}`);
  }
  into.fill(0, offset, offset + 8);
  if (lun >= 0x100) into[offset] = METHOD_FLAT << 6 | lun >>> 8;
  into[offset + 1] = lun;
}
