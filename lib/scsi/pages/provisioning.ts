/** Logical block provisioning (SBC-3, 4.7): the limits, flags and resource counts that a logical unit reports. */
import { writeUint32, writeUint64 } from "../../bytes/big_endian.ts";
import { GRANULE_BYTES_MIN } from "../../store/space_map.ts";

/** The properties of a logical unit that provisioning depends on. */
interface Unit {
  readonly transferLengthMaxBlocks: number;
  readonly canUnmap: boolean;
  readonly blockSizeBytes: number;
}

/** MAXIMUM UNMAP LBA COUNT: blocks in all descriptors of one UNMAP. */
export const UNMAP_BLOCKS_MAX = 1024 * 1024;

/** MAXIMUM UNMAP BLOCK DESCRIPTOR COUNT. */
export const UNMAP_DESCRIPTORS_MAX = 1024;

/** Size of a threshold set, the unit of resource counts and thresholds. */
const THRESHOLD_SET_BYTES = 1024 * 1024;

/** The space that a logical unit uses, and the space available to it and to others on the same file system. */
export interface SpaceFigures {
  readonly usedBytes: number;
  readonly availableBytes: number;
}

/** Converts bytes to threshold sets, limited to 32 bits. */
export function countThresholdSets(bytes: number): number {
  return Math.min(Math.floor(bytes / THRESHOLD_SET_BYTES), 0xffff_ffff);
}

const UGAVALID = 0x8000_0000;

/**
 * Encodes bytes 20 to 43 of the Block Limits VPD page (SBC-3, 6.6.3).
 *
 * ```text
 *  20-23 | MAXIMUM UNMAP LBA COUNT
 *  24-27 | MAXIMUM UNMAP BLOCK DESCRIPTOR COUNT
 *  28-31 | OPTIMAL UNMAP GRANULARITY
 *  32-35 | UGAVALID, UNMAP GRANULARITY ALIGNMENT 0
 *  36-43 | MAXIMUM WRITE SAME LENGTH: that of one WRITE
 * ```
 */
export function encodeProvisioningLimits(unit: Unit): Uint8Array {
  const limits = new Uint8Array(24);
  writeUint64(limits, 16, unit.transferLengthMaxBlocks);
  if (!unit.canUnmap) return limits;
  writeUint32(limits, 0, UNMAP_BLOCKS_MAX);
  writeUint32(limits, 4, UNMAP_DESCRIPTORS_MAX);
  // A range smaller than a file system block deallocates nothing. With blocks of that size there is nothing to report;
  // QEMU 7.2 aborts when it reads a granularity of one 4096-byte block.
  if (unit.blockSizeBytes < GRANULE_BYTES_MIN) {
    writeUint32(limits, 8, GRANULE_BYTES_MIN / unit.blockSizeBytes);
    writeUint32(limits, 12, UGAVALID);
  }
  return limits;
}

/** Byte 5 of the Logical Block Provisioning VPD page. LBPRZ 001b: unmapped blocks read as zeros. */
const LBPU = 0x80;
const LBPWS = 0x40;
const LBPWS10 = 0x20;
const LBPRZ = 0x04;
/** PROVISIONING TYPE. */
const THIN_PROVISIONED = 0x02;

/**
 * Encodes B2h, Logical Block Provisioning (SBC-3, 6.6.4), without its header. ANC_SUP is zero: space cannot be reserved
 * for blocks without writing them. The page is all zero for a store that cannot unmap: such a unit is fully
 * provisioned.
 *
 * ```text
 *  4 | THRESHOLD EXPONENT
 *  5 | LBPU, LBPWS, LBPWS10, LBPRZ, ANC_SUP, DP
 *  6 | PROVISIONING TYPE
 * ```
 */
export function encodeProvisioningPage({ canUnmap, blockSizeBytes }: Unit): Uint8Array {
  if (!canUnmap) return new Uint8Array(4);
  const thresholdExponent = Math.log2(THRESHOLD_SET_BYTES / blockSizeBytes);
  return Uint8Array.of(thresholdExponent, LBPU | LBPWS | LBPWS10 | LBPRZ, THIN_PROVISIONED, 0);
}

/** Returns LBPME and LBPRZ of byte 14 of the READ CAPACITY(16) parameter data (SBC-3, 5.16.2). */
export function capacityFlags({ canUnmap }: Unit): number {
  return canUnmap ? 0xc0 : 0;
}

/** The counted resources: parameter codes of the log page, and values of THRESHOLD RESOURCE. */
export const Resource = { available: 0x0001, used: 0x0002 } as const;

/** SCOPE: the resource is dedicated to this logical unit, or shared with others. */
const Scope = { dedicated: 0b01, shared: 0b10 } as const;

function encodeResource(bytes: number, scope: number): Uint8Array {
  const value = new Uint8Array(8);
  writeUint32(value, 0, countThresholdSets(bytes));
  value[4] = scope;
  return value;
}

/**
 * Encodes the parameters of 0Ch, the Logical Block Provisioning log page (SBC-3, 6.4.5). Each has four bytes of
 * RESOURCE COUNT in threshold sets, and SCOPE.
 */
export function encodeResources(
  { availableBytes, usedBytes }: SpaceFigures,
): readonly { readonly code: number; readonly value: Uint8Array }[] {
  return [
    { code: Resource.available, value: encodeResource(availableBytes, Scope.shared) },
    { code: Resource.used, value: encodeResource(usedBytes, Scope.dedicated) },
  ];
}
