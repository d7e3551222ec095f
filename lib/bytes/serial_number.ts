/**
 * Serial number arithmetic over 32 bits (RFC 1982), by which iSCSI compares CmdSN, StatSN and their windows
 * (RFC 7143, 4.2.2.1).
 */

/** The serial number `count` after `serial`. */
export function serialAdd(serial: number, count: number): number {
  return (serial + count) >>> 0;
}

/** How far `to` lies after `from`: negative when it lies before, in -2^31 ... 2^31 - 1. */
export function serialDistance(from: number, to: number): number {
  return (to - from) | 0;
}
