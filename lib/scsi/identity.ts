/** The permanent identity of a logical unit, wherever it is served. */
export interface Identity {
  /**
   * An NAA designator in hexadecimal digits (SPC-4, 7.8.6.6), the first of which is its type: 16 digits for IEEE
   * Extended (2h), Locally Assigned (3h) and IEEE Registered (5h), 32 for IEEE Registered Extended (6h).
   */
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
  if (!/^(?:[235][0-9a-f]{15}|6[0-9a-f]{31})$/i.test(naa)) {
    const form = "it must be 16 hexadecimal digits that begin with 2, 3 or 5, or 32 that begin with 6";
    throw new TypeError(`Cannot use NAA "${naa}": ${form}`);
  }
  if (!/^[\x20-\x7e]+$/.test(serialNumber) || serialNumber.length > SERIAL_NUMBER_LENGTH_MAX) {
    throw new TypeError(
      `Cannot use serial number "${serialNumber}": ` +
        `it must be 1 to ${SERIAL_NUMBER_LENGTH_MAX} printable ASCII characters`,
    );
  }
}
