/**
 * Fields of the CDBs that address blocks (SBC-3, 5; the forms of 6 bytes are in SBC-2).
 *
 * ```text
 *                     (6)            (10)    (12)    (16)
 *   flags             none           1       1       1
 *   address           1-3, 21 bits   2-5     2-5     2-9
 *   number of blocks  4, 0 is 256    7-8     6-9     10-13
 * ```
 */
import { ABSENT, bitsOf, bytesOf, type CdbFields } from "./cdb_field.ts";

/** The blocks that a command addresses. */
export type BlockFields = CdbFields<"lba" | "blocks">;

/** The blocks of a CDB of 6 bytes. */
export const BLOCKS_6: BlockFields = {
  lba: bytesOf(1, 3, 0x1f),
  blocks: bitsOf(4, 0xff, { zeroMeans: 256 }),
};

/** The blocks of a CDB of 10 bytes. */
export const BLOCKS_10: BlockFields = { lba: bytesOf(2, 4), blocks: bytesOf(7, 2) };

/** The blocks of a CDB of 12 bytes. */
export const BLOCKS_12: BlockFields = { lba: bytesOf(2, 4), blocks: bytesOf(6, 4) };

/** The blocks of a CDB of 16 bytes. */
export const BLOCKS_16: BlockFields = { lba: bytesOf(2, 8), blocks: bytesOf(10, 4) };

/** RDPROTECT, WRPROTECT, VRPROTECT or ORPROTECT: must be zero, since there is no protection information. */
const PROTECT = bitsOf(1, 0xe0);

/** DPO: advice about caching, which is left to the page cache. */
const DISABLE_PAGE_OUT = bitsOf(1, 0x10);

/** Flags of the commands that move blocks. `forceUnitAccess` is FUA. */
export type TransferFlags = CdbFields<"protect" | "disablePageOut" | "forceUnitAccess">;

/** Flags of the forms of 10 bytes and more. */
export const TRANSFER_FLAGS: TransferFlags = {
  protect: PROTECT,
  disablePageOut: DISABLE_PAGE_OUT,
  forceUnitAccess: bitsOf(1, 0x08),
};

/** Flags of the forms of 6 bytes, which have none. */
export const NO_TRANSFER_FLAGS: TransferFlags = {
  protect: ABSENT,
  disablePageOut: ABSENT,
  forceUnitAccess: ABSENT,
};

/** Flags of VERIFY and WRITE AND VERIFY. */
export const VERIFY_FLAGS: CdbFields<"protect" | "disablePageOut" | "byteCheck"> = {
  protect: PROTECT,
  disablePageOut: DISABLE_PAGE_OUT,
  byteCheck: bitsOf(1, 0x06),
};

/** Flags of WRITE SAME(10). */
export const WRITE_SAME_10_FLAGS = {
  protect: PROTECT,
  anchor: bitsOf(1, 0x10),
  unmap: bitsOf(1, 0x08),
  noDataOutBuffer: ABSENT,
} as const satisfies CdbFields;

/** Flags of WRITE SAME(16). */
export const WRITE_SAME_16_FLAGS = {
  ...WRITE_SAME_10_FLAGS,
  noDataOutBuffer: bitsOf(1, 0x01),
} as const satisfies CdbFields;

/** The flag of PRE-FETCH and SYNCHRONIZE CACHE. */
export const IMMEDIATE_FLAG: CdbFields<"immediate"> = { immediate: bitsOf(1, 0x02) };
