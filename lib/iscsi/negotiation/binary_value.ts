/** Binary values in text (RFC 7143, 6.1): `0x` and hexadecimal digits, or `0b` and base64, in either letter case. */

/**
 * Reads a binary value of 1 to `bytesMax` bytes; returns undefined for any other text.
 *
 * The first of an odd number of hexadecimal digits is a byte of its own.
 */
export function readBinaryValue(text: string, bytesMax: number): Uint8Array | undefined {
  // The longest form has two digits for each byte.
  if (text.length > 2 + 2 * bytesMax) return undefined;
  const bytes = decode(text.slice(0, 2).toLowerCase(), text.slice(2));
  return bytes === undefined || bytes.length === 0 || bytes.length > bytesMax ? undefined : bytes;
}

function decode(form: string, digits: string): Uint8Array | undefined {
  if (form === "0x" && /^[0-9a-fA-F]+$/.test(digits)) {
    return Uint8Array.fromHex(digits.length % 2 === 0 ? digits : `0${digits}`);
  }
  const isBase64 = /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(digits);
  return form === "0b" && isBase64 ? Uint8Array.fromBase64(digits) : undefined;
}

/** Writes a binary value. */
export function writeBinaryValue(bytes: Uint8Array): string {
  return `0x${bytes.toHex()}`;
}
