/**
 * Big-endian fields of SCSI and iSCSI.
 *
 * All functions work in place on a `Uint8Array`: a view into a receive or send buffer needs neither a copy nor a
 * `DataView`.
 */

/** Reads a 16-bit unsigned number. */
export function readUint16(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 8) | bytes[offset + 1]!;
}

/** Reads a 24-bit unsigned number. */
export function readUint24(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 16) | (bytes[offset + 1]! << 8) | bytes[offset + 2]!;
}

/** Reads a 32-bit unsigned number. */
export function readUint32(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) |
    bytes[offset + 3]!) >>> 0;
}

/** Reads a 48-bit unsigned number, which a `number` holds exactly. */
export function readUint48(bytes: Uint8Array, offset: number): number {
  return readUint16(bytes, offset) * 0x1_0000_0000 + readUint32(bytes, offset + 2);
}

/**
 * Reads a 64-bit unsigned number as a `number`.
 *
 * A value above 2^53 is rounded. That is safe for logical block addresses, because a rounded one is still far beyond
 * the end of any medium and is refused. Opaque values (reservation keys) must not be read this way.
 */
export function readUint64(bytes: Uint8Array, offset: number): number {
  return readUint32(bytes, offset) * 0x1_0000_0000 + readUint32(bytes, offset + 4);
}

/** Writes a 16-bit unsigned number. */
export function writeUint16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 8;
  bytes[offset + 1] = value;
}

/** Writes a 24-bit unsigned number. */
export function writeUint24(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 16;
  bytes[offset + 1] = value >>> 8;
  bytes[offset + 2] = value;
}

/** Writes a 32-bit unsigned number. */
export function writeUint32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}

/** Writes a 48-bit unsigned number. */
export function writeUint48(bytes: Uint8Array, offset: number, value: number): void {
  writeUint16(bytes, offset, Math.floor(value / 0x1_0000_0000));
  writeUint32(bytes, offset + 2, value % 0x1_0000_0000);
}

/** Writes a 64-bit unsigned number that a `number` holds exactly (below 2^53). */
export function writeUint64(bytes: Uint8Array, offset: number, value: number): void {
  writeUint32(bytes, offset, Math.floor(value / 0x1_0000_0000));
  writeUint32(bytes, offset + 4, value % 0x1_0000_0000);
}
