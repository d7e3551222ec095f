/** The permanent identity of a logical unit, wherever it is served. */
export interface Identity {
  /** 16 hexadecimal digits: an NAA locally assigned designator, which starts with 3 (SPC-4, 7.8). */
  readonly naa: string;
  /** Printable ASCII, 1 to 64 characters. */
  readonly serialNumber: string;
}

/** Longest serial number: every designator made from one must fit into 255 bytes. */
const SERIAL_NUMBER_LENGTH_MAX = 64;

/**
 * Checks an identity.
 *
 * @throws {TypeError} when it is not of the form that `Identity` describes
 */
export function assertIdentity(identity: Identity): void {
  const { naa, serialNumber } = identity;
  if (!/^3[0-9a-f]{15}$/i.test(naa)) {
    throw new TypeError(`Cannot use NAA "${naa}": it must be 16 hexadecimal digits, the first of them 3`);
  }
  if (!/^[\x20-\x7e]+$/.test(serialNumber) || serialNumber.length > SERIAL_NUMBER_LENGTH_MAX) {
    throw new TypeError(
      `Cannot use serial number "${serialNumber}": ` +
        `it must be 1 to ${SERIAL_NUMBER_LENGTH_MAX} printable ASCII characters`,
    );
  }
}
