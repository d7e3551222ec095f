/**
 * Logical block provisioning (SBC-3, 4.7): what a logical unit says of the space that its blocks take.
 */
import { writeUint32, writeUint64 } from "../../bytes/big_endian.ts";
import { GRANULE_BYTES_MIN } from "../../store/space_map.ts";

/** What of a logical unit matters here. */
interface Unit {
  readonly transferLengthMaxBlocks: number;
  readonly canUnmap: boolean;
  readonly blockSizeBytes: number;
}

/** MAXIMUM UNMAP LBA COUNT: blocks that one UNMAP may name, over all its descriptors. */
export const UNMAP_BLOCKS_MAX = 1024 * 1024;

/** MAXIMUM UNMAP BLOCK DESCRIPTOR COUNT. */
export const UNMAP_DESCRIPTORS_MAX = 1024;

/** Resources are counted, and thresholds set, in sets of this size. */
const THRESHOLD_SET_BYTES = 1024 * 1024;

/** The space that a logical unit takes, and what is left for it and whoever shares it. */
export interface SpaceFigures {
  readonly usedBytes: number;
  readonly availableBytes: number;
}

/** Bytes as threshold sets, in a field of 32 bits. */
export function countThresholdSets(bytes: number): number {
  return Math.min(Math.floor(bytes / THRESHOLD_SET_BYTES), 0xffff_ffff);
}

const UGAVALID = 0x8000_0000;

/**
 * Bytes 20 to 43 of the Block Limits VPD page (SBC-3, 6.6.3).
 *
 * ```text
 *  20-23 | MAXIMUM UNMAP LBA COUNT
 *  24-27 | MAXIMUM UNMAP BLOCK DESCRIPTOR COUNT
 *  28-31 | OPTIMAL UNMAP GRANULARITY
 *  32-35 | UGAVALID, UNMAP GRANULARITY ALIGNMENT 0
 *  36-43 | MAXIMUM WRITE SAME LENGTH: as much as one WRITE may write
 * ```
 */
export function encodeProvisioningLimits(unit: Unit): Uint8Array {
  const limits = new Uint8Array(24);
  writeUint64(limits, 16, unit.transferLengthMaxBlocks);
  if (!unit.canUnmap) return limits;
  writeUint32(limits, 0, UNMAP_BLOCKS_MAX);
  writeUint32(limits, 4, UNMAP_DESCRIPTORS_MAX);
  // Less than a block of the file system gives nothing back. Where that is no more than a block of the unit there is
  // nothing to say; QEMU 7.2, told of a granularity of one block of 4096 bytes, ends itself when it reads.
  if (unit.blockSizeBytes < GRANULE_BYTES_MIN) {
    writeUint32(limits, 8, GRANULE_BYTES_MIN / unit.blockSizeBytes);
    writeUint32(limits, 12, UGAVALID);
  }
  return limits;
}

/** Byte 5 of the Logical Block Provisioning VPD page. LBPRZ 001b: what is unmapped reads as zeros. */
const LBPU = 0x80;
const LBPWS = 0x40;
const LBPWS10 = 0x20;
const LBPRZ = 0x04;
/** PROVISIONING TYPE. */
const THIN_PROVISIONED = 0x02;

/**
 * B2h, Logical Block Provisioning (SBC-3, 6.6.4), without its header. ANC_SUP is zero: there is no way to keep space
 * for blocks without writing them. All of it is zero where unmapping gives nothing back: such a unit is fully
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

/** LBPME and LBPRZ in byte 14 of the parameter data of READ CAPACITY(16) (SBC-3, 5.16.2). */
export function capacityFlags({ canUnmap }: Unit): number {
  return canUnmap ? 0xc0 : 0;
}

/** The resources that are counted: parameter codes of the log page, and values of THRESHOLD RESOURCE. */
export const Resource = { available: 0x0001, used: 0x0002 } as const;

/** SCOPE: this logical unit has it for itself, or others may take it as well. */
const Scope = { dedicated: 0b01, shared: 0b10 } as const;

function encodeResource(bytes: number, scope: number): Uint8Array {
  const value = new Uint8Array(8);
  writeUint32(value, 0, countThresholdSets(bytes));
  value[4] = scope;
  return value;
}

/**
 * The parameters of 0Ch, the Logical Block Provisioning log page (SBC-3, 6.4.5), of which each has four bytes of
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
