/**
 * 32-bit serial number arithmetic (RFC 1982), which iSCSI uses to compare CmdSN, StatSN and their windows (RFC 7143,
 * 4.2.2.1).
 */

/** Returns the serial number `count` after `serial`. */
export function serialAdd(serial: number, count: number): number {
  return (serial + count) >>> 0;
}

/** Returns the distance from `from` to `to`, in -2^31 ... 2^31 - 1; negative when `to` is before `from`. */
export function serialDistance(from: number, to: number): number {
  return (to - from) | 0;
}
