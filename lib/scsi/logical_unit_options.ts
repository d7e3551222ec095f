import type { AtomicJournal } from "../store/atomic_journal.ts";
import type { BlockStore } from "../store/block_store.ts";
import type { Identity } from "./identity.ts";
import type { ReservationStore } from "./reservations/reservation_store.ts";
import type { StorageFaultReport } from "./medium/storage_faults.ts";

/** The texts of standard INQUIRY data (SPC-4, 6.6.2) that a configuration may replace. */
export interface InquiryTexts {
  /** PRODUCT IDENTIFICATION, up to 16 characters. */
  readonly product?: string;
  /** PRODUCT REVISION LEVEL, up to 4 characters. */
  readonly revision?: string;
}

/** The same texts, padded to the widths of their fields: 16 and 4. */
export type PaddedTexts = Required<InquiryTexts>;

/** The parts and properties of a logical unit. */
export interface LogicalUnitOptions extends InquiryTexts {
  readonly store: BlockStore;
  /** Keeps atomic writes whole when the process is killed. Without one if the store does not outlive the process. */
  readonly journal?: AtomicJournal;
  readonly identity: Identity;
  readonly readOnly: boolean;
  /** The store of persistent reservations. Without one they do not survive a loss of power. */
  readonly reservationStore?: ReservationStore | "unreadable";
  /** The medium, or the saved reservations, cannot be opened yet: false by default. */
  readonly isAbsent?: boolean;
  /** Receives failures of the store. Without it they are not reported. */
  readonly faults?: StorageFaultReport;
  /** The medium can be ejected and loaded again: false by default. */
  readonly removable?: boolean;
  /** The page cache is a volatile write cache: true by default. Without one, GOOD means that a write is durable. */
  readonly writeCache?: boolean;
  /** Logical block size, the unit of every address: 512 by default. */
  readonly blockSizeBytes?: number;
  /** The size of which writes should be a multiple: 4096 by default, or a logical block if that is larger. */
  readonly physicalBlockSizeBytes?: number;
  /** T10 VENDOR IDENTIFICATION, up to 8 characters; part of what identifies the unit. */
  readonly vendor?: string;
}

/** Largest logical or physical block. */
const BLOCK_SIZE_MAX_BYTES = 64 * 1024;

/** The block sizes of a logical unit. */
interface BlockSizes {
  readonly blockSizeBytes: number;
  readonly physicalBlockSizeBytes: number;
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

/**
 * Returns the block sizes of a logical unit.
 *
 * @throws {RangeError} when a size is not supported, or the store has no room for one block
 */
export function blockSizesOf(options: LogicalUnitOptions): BlockSizes {
  const { store, blockSizeBytes = 512 } = options;
  const { physicalBlockSizeBytes = Math.max(4096, blockSizeBytes) } = options;
  if (!isPowerOfTwo(blockSizeBytes) || blockSizeBytes < 512 || blockSizeBytes > BLOCK_SIZE_MAX_BYTES) {
    throw new RangeError(
      `Cannot use blocks of ${blockSizeBytes} bytes: use a power of two from 512 to ${BLOCK_SIZE_MAX_BYTES}`,
    );
  }
  if (
    !isPowerOfTwo(physicalBlockSizeBytes) || physicalBlockSizeBytes > BLOCK_SIZE_MAX_BYTES ||
    physicalBlockSizeBytes < blockSizeBytes
  ) {
    throw new RangeError(
      `Cannot use physical blocks of ${physicalBlockSizeBytes} bytes with logical ones of ${blockSizeBytes}`,
    );
  }
  if (store.sizeBytes < blockSizeBytes) {
    throw new RangeError(
      `Cannot make a logical unit of ${store.sizeBytes} bytes: a block has ${blockSizeBytes}`,
    );
  }
  return { blockSizeBytes, physicalBlockSizeBytes };
}

/** Pads a text with spaces to the width of its field (SPC-4, 4.4.1). */
function padField(name: string, text: string, width: number): string {
  if (!/^[\x20-\x7e]*$/.test(text) || text.length > width) {
    throw new RangeError(
      `Cannot use ${name} "${text}": it must be up to ${width} printable ASCII characters`,
    );
  }
  return text.padEnd(width);
}

/**
 * Pads the texts of standard INQUIRY data to the widths of their fields.
 *
 * @throws {RangeError} when a text does not fit
 */
export function padTexts(texts: InquiryTexts): PaddedTexts {
  return {
    product: padField("product", texts.product ?? "ISCSI DISK", 16),
    revision: padField("revision", texts.revision ?? "1", 4),
  };
}

/**
 * Pads T10 VENDOR IDENTIFICATION to the width of its field, 8.
 *
 * @throws {RangeError} when it does not fit
 */
export function padVendor(vendor = "NETMGR"): string {
  return padField("vendor", vendor, 8);
}
