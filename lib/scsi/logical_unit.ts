import type { BlockStore } from "../store/block_store.ts";
import { assertIdentity, type Identity } from "./identity.ts";
import { Sense } from "./sense.ts";
import type { Attention } from "./unit_attention.ts";

/** An I_T_L nexus as its logical unit needs to know it. */
export interface AttachedNexus {
  /** Something that the initiator must be told of. */
  establish(attention: Attention): void;
  /** Ends every task of this nexus; returns whether there was any. */
  abortTasks(): boolean;
}

/** What a logical unit is made of. */
export interface LogicalUnitOptions {
  readonly store: BlockStore;
  readonly identity: Identity;
  readonly readOnly: boolean;
  /** Logical block size, the unit of every address: 512 by default. */
  readonly blockSizeBytes?: number;
  /** The size that writes should be a multiple of: 4096 by default, or a logical block if that is larger. */
  readonly physicalBlockSizeBytes?: number;
  /** T10 VENDOR IDENTIFICATION, up to 8 characters. */
  readonly vendor?: string;
  /** PRODUCT IDENTIFICATION, up to 16 characters. */
  readonly product?: string;
  /** PRODUCT REVISION LEVEL, up to 4 characters. */
  readonly revision?: string;
}

/** Most that one command may transfer; told in the Block Limits VPD page (SBC-3, 6.6.3) and enforced. */
const TRANSFER_LENGTH_MAX_BYTES = 16 * 1024 * 1024;

/** Largest logical or physical block. */
const BLOCK_SIZE_MAX_BYTES = 64 * 1024;

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
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
 * A direct access block device (SBC-3) on a store: everything about it that is the same for all initiators.
 *
 * Its state changes only through the methods here. Whoever reaches it attaches a nexus, through which it makes known
 * what other initiators have done.
 */
export class LogicalUnit {
  readonly store: BlockStore;
  readonly identity: Identity;
  readonly blockSizeBytes: number;
  readonly physicalBlockSizeBytes: number;
  readonly capacityBlocks: number;
  readonly transferLengthMaxBlocks: number;
  readonly writeProtected: boolean;
  /** Padded to their fields' widths: 8, 16 and 4. */
  readonly vendor: string;
  readonly product: string;
  readonly revision: string;
  readonly #nexuses = new Set<AttachedNexus>();
  #stopped = false;

  /**
   * @throws {RangeError} when a size or a text does not fit
   * @throws {TypeError} when the identity is malformed
   */
  constructor(options: LogicalUnitOptions) {
    const { store, identity, readOnly, blockSizeBytes = 512 } = options;
    const { physicalBlockSizeBytes = Math.max(4096, blockSizeBytes) } = options;
    assertIdentity(identity);
    if (!isPowerOfTwo(blockSizeBytes) || blockSizeBytes < 512 || blockSizeBytes > BLOCK_SIZE_MAX_BYTES) {
      throw new RangeError(`Cannot use blocks of ${blockSizeBytes} bytes`);
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
      throw new RangeError(`Cannot make a logical unit of ${store.sizeBytes} bytes: not one block fits`);
    }
    this.store = store;
    this.identity = identity;
    this.blockSizeBytes = blockSizeBytes;
    this.physicalBlockSizeBytes = physicalBlockSizeBytes;
    this.capacityBlocks = Math.floor(store.sizeBytes / blockSizeBytes);
    this.transferLengthMaxBlocks = TRANSFER_LENGTH_MAX_BYTES / blockSizeBytes;
    this.writeProtected = readOnly || store.readOnly;
    this.vendor = padField("vendor", options.vendor ?? "NETMGR", 8);
    this.product = padField("product", options.product ?? "ISCSI DISK", 16);
    this.revision = padField("revision", options.revision ?? "1", 4);
  }

  /** Why the medium cannot be accessed now (SBC-3, 4.20: the stopped power condition); undefined when it can. */
  get notReady(): typeof Sense.initializingCommandRequired | undefined {
    return this.#stopped ? Sense.initializingCommandRequired : undefined;
  }

  start(): void {
    this.#stopped = false;
  }

  stop(): void {
    this.#stopped = true;
  }

  attach(nexus: AttachedNexus): void {
    this.#nexuses.add(nexus);
  }

  detach(nexus: AttachedNexus): void {
    this.#nexuses.delete(nexus);
  }

  /**
   * CLEAR TASK SET (SAM-5, 7.5). The control mode page says that there is one task set for all initiators (TST) and
   * that those who lose a task to another hear of it by a unit attention and not by a status (TAS).
   */
  clearTaskSet(nexus: AttachedNexus): void {
    for (const other of this.#nexuses) {
      if (other.abortTasks() && other !== nexus) other.establish(Sense.commandsClearedByAnotherInitiator);
    }
  }

  /** A logical unit reset (SAM-5, 6.3.3), of which every initiator hears in the words of what caused it. */
  reset(cause: Attention): void {
    for (const nexus of this.#nexuses) {
      nexus.abortTasks();
      nexus.establish(cause);
    }
  }
}
