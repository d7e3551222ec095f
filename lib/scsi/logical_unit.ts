import type { AtomicJournal } from "../store/atomic_journal.ts";
import type { BlockStore } from "../store/block_store.ts";
import type { AttachedNexus } from "./attached_nexus.ts";
import { CountedStore } from "./medium/counted_store.ts";
import { ErrorCounters } from "./counters/error_counters.ts";
import { assertIdentity, type Identity } from "./identity.ts";
import { MODE_PAGES, ModeParameters, PageControl } from "./pages/mode_pages.ts";
import type { SpaceFigures } from "./pages/provisioning.ts";
import { RangeLocks } from "./medium/range_locks.ts";
import { ReadAhead } from "./medium/read_ahead.ts";
import type { ReservationStore } from "./reservations/reservation_store.ts";
import { Reservations } from "./reservations/reservations.ts";
import { Sanitizer } from "./medium/sanitizer.ts";
import { Scratch } from "./medium/scratch.ts";
import { Sense, type SenseCondition } from "./outcome/sense.ts";
import type { StorageFaultReport } from "./medium/storage_faults.ts";
import type { Task } from "./task.ts";
import { TaskSet } from "./task_set.ts";
import { Threshold } from "./pages/threshold.ts";
import { totalTraffic, Traffic } from "./counters/traffic.ts";
import type { Attention } from "./dispatch/unit_attention.ts";
import { VolatileCache } from "./medium/volatile_cache.ts";

/** What a disk is called in its standard INQUIRY data (SPC-4, 6.6.2), where it is not as the program has it. */
export interface InquiryTexts {
  /** PRODUCT IDENTIFICATION, up to 16 characters. */
  readonly product?: string;
  /** PRODUCT REVISION LEVEL, up to 4 characters. */
  readonly revision?: string;
}

type PaddedTexts = Required<InquiryTexts>;

/** What a logical unit is made of. */
export interface LogicalUnitOptions extends InquiryTexts {
  readonly store: BlockStore;
  /** What keeps atomic writes whole when the process is killed; without one if the store does not outlive that. */
  readonly journal?: AtomicJournal;
  readonly identity: Identity;
  readonly readOnly: boolean;
  /** Where persistent reservations outlive a loss of power; without it they cannot. */
  readonly reservationStore?: ReservationStore | "unreadable";
  /** The medium, or what was kept of the reservations, is not there yet: no by default. */
  readonly isAbsent?: boolean;
  /** Takes failures of the store; without it they are not reported. */
  readonly faults?: StorageFaultReport;
  /** The medium can be ejected and loaded again: no by default. */
  readonly removable?: boolean;
  /** Logical block size, the unit of every address: 512 by default. */
  readonly blockSizeBytes?: number;
  /** The size that writes should be a multiple of: 4096 by default, or a logical block if that is larger. */
  readonly physicalBlockSizeBytes?: number;
  /** T10 VENDOR IDENTIFICATION, up to 8 characters; part of what identifies the unit. */
  readonly vendor?: string;
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

function padTexts(texts: InquiryTexts): PaddedTexts {
  return {
    product: padField("product", texts.product ?? "ISCSI DISK", 16),
    revision: padField("revision", texts.revision ?? "1", 4),
  };
}

/**
 * A direct access block device (SBC-3) on a store: everything about it that is the same for all initiators.
 *
 * Its state changes only through the methods here. Whoever reaches it attaches a nexus, through which it makes known
 * what other initiators have done.
 */
export class LogicalUnit {
  readonly store: BlockStore;
  /** The same, for what is read to be verified: that is counted apart. */
  readonly verifyingStore: BlockStore;
  readonly journal: AtomicJournal | undefined;
  readonly identity: Identity;
  /** The NAA of the identity in lower case, as it is looked for. */
  readonly naa: string;
  readonly blockSizeBytes: number;
  readonly physicalBlockSizeBytes: number;
  readonly transferLengthMaxBlocks: number;
  readonly removable: boolean;
  /** Padded to its field's width, 8. */
  readonly vendor: string;
  readonly modes = new ModeParameters();
  readonly counters = new ErrorCounters();
  readonly faults: StorageFaultReport | undefined;
  readonly readAhead: ReadAhead;
  /** Who is at work where on the medium. */
  readonly ranges = new RangeLocks();
  readonly scratch = new Scratch();
  readonly sanitizer: Sanitizer;
  /** Which commands may begin, and which wait for others. */
  readonly tasks = new TaskSet({
    isPerNexus: () => this.modes.hasTaskSetPerNexus,
    answersAtOnce: () => this.sanitizer.isUnderWay,
  });
  readonly #cache = new VolatileCache();
  #capacityBlocks: number;
  #writeProtected: boolean;
  #texts: PaddedTexts;
  readonly #threshold = new Threshold();
  #space: SpaceFigures | undefined;
  readonly reservations: Reservations;
  readonly #nexuses = new Set<AttachedNexus>();
  /** What those have done who are gone. */
  readonly #pastTraffic = new Traffic();
  /** Those who have asked that the medium stays where it is. */
  readonly #removalPreventers = new Set<AttachedNexus>();
  #absent: boolean;
  #stopped = false;
  #ejected = false;

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
    this.faults = options.faults;
    const observers = { cache: this.#cache, faults: options.faults };
    this.store = new CountedStore(store, this.counters, observers);
    const verifying = { ...this.counters, read: this.counters.verify };
    this.verifyingStore = new CountedStore(store, verifying, observers);
    this.sanitizer = new Sanitizer(this.ranges);
    this.journal = options.journal;
    this.readAhead = new ReadAhead(new CountedStore(store, new ErrorCounters(), observers));
    this.identity = identity;
    this.naa = identity.naa.toLowerCase();
    this.blockSizeBytes = blockSizeBytes;
    this.physicalBlockSizeBytes = physicalBlockSizeBytes;
    this.#capacityBlocks = Math.floor(store.sizeBytes / blockSizeBytes);
    this.transferLengthMaxBlocks = TRANSFER_LENGTH_MAX_BYTES / blockSizeBytes;
    this.#writeProtected = readOnly || store.readOnly;
    this.removable = options.removable ?? false;
    this.vendor = padField("vendor", options.vendor ?? "NETMGR", 8);
    this.#texts = padTexts(options);
    this.#absent = options.isAbsent ?? false;
    this.reservations = new Reservations(this.#nexuses, options.reservationStore);
  }

  get capacityBlocks(): number {
    return this.#capacityBlocks;
  }

  get writeProtected(): boolean {
    return this.#writeProtected;
  }

  /** Every byte that can be read is on the medium, and not in a volatile cache alone. */
  get isDurable(): boolean {
    return this.#cache.isDurable;
  }

  /**
   * Makes everything written so far durable.
   *
   * @throws {StoreError} (rejects) when that cannot be promised
   */
  flush(): Promise<void> {
    return this.#cache.flush(async () => {
      await this.store.flush();
      await this.journal?.flush();
    });
  }

  /** Initiators can give space back: the unit is thinly provisioned. For those who cannot write it is not. */
  get canUnmap(): boolean {
    return this.store.canUnmap && !this.#writeProtected;
  }

  /** Padded to their fields' widths: 16 and 4. */
  get texts(): PaddedTexts {
    return this.#texts;
  }

  /** Offers what the store has gained, of which every initiator is told (SBC-3, 4.4: CAPACITY DATA HAS CHANGED). */
  followCapacity(): void {
    const capacityBlocks = Math.floor(this.store.sizeBytes / this.blockSizeBytes);
    if (capacityBlocks === this.#capacityBlocks) return;
    this.#capacityBlocks = capacityBlocks;
    this.#tell(Sense.capacityDataHasChanged);
  }

  /**
   * Protects the medium from writing, or no longer. WP is one of the mode parameters, of whose change every initiator
   * is told (SPC-4, 5.8), and with it the VPD pages that tell of thin provisioning.
   */
  protect(isProtected: boolean): void {
    if (isProtected === this.#writeProtected) return;
    this.#writeProtected = isProtected;
    this.#tell(Sense.modeParametersChanged);
    if (this.store.canUnmap) this.#tell(Sense.inquiryDataHasChanged);
  }

  /** Says something else of what disk it is (SPC-4, 6.6.1: INQUIRY DATA HAS CHANGED). */
  rename(texts: InquiryTexts): void {
    const padded = padTexts(texts);
    const { product, revision } = this.#texts;
    if (product === padded.product && revision === padded.revision) return;
    this.#texts = padded;
    this.#tell(Sense.inquiryDataHasChanged);
  }

  /** Resolves when every task that it works on now has come to its end, whatever follows. */
  async tasksEnded(): Promise<void> {
    await Promise.all([...this.#nexuses].map((nexus) => nexus.tasksEnded()));
  }

  #tell(attention: Attention): void {
    for (const nexus of this.#nexuses) nexus.establish(attention);
  }

  /**
   * Why the medium cannot be accessed now: it cannot be opened, is not there, or is stopped (SBC-3, 4.20: the stopped
   * power condition). Undefined when it can.
   */
  get notReady(): SenseCondition | undefined {
    // Linux takes this condition for final. With any other it waits for up to 100 s, and starts the unit meanwhile.
    if (this.#absent) return Sense.manualInterventionRequired;
    if (this.#ejected) return Sense.mediumNotPresent;
    return this.#stopped ? Sense.initializingCommandRequired : undefined;
  }

  /** Its medium, or what was kept of its reservations, could not be opened. */
  get isAbsent(): boolean {
    return this.#absent;
  }

  /**
   * Makes ready a unit that was absent, and notifies every initiator (SPC-4, 5.14: NOT READY TO READY CHANGE).
   *
   * @param open has the store of the unit offer its medium
   */
  arrive(open: () => void): void {
    const couldUnmap = this.canUnmap;
    open();
    this.#absent = false;
    this.followCapacity();
    if (this.canUnmap !== couldUnmap) this.#tell(Sense.inquiryDataHasChanged);
    this.#tell(Sense.notReadyToReadyChange);
  }

  /** The space that it takes and could take; undefined while nobody has said. */
  get space(): SpaceFigures | undefined {
    return this.#space;
  }

  /** Takes note of the space there is, and tells initiators when there is little (SBC-3, 4.7.3.7). */
  updateSpace(space: SpaceFigures): void {
    this.#space = space;
    if (!this.canUnmap || !this.#threshold.reaches(space, this.#thresholdParameters)) return;
    this.#tell(Sense.thinProvisioningSoftThresholdReached);
  }

  get #thresholdParameters(): ArrayLike<number> {
    return this.modes.values(MODE_PAGES.logicalBlockProvisioning, PageControl.current);
  }

  get isEjected(): boolean {
    return this.#ejected;
  }

  start(): void {
    this.#stopped = false;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Takes the medium out; only of a unit that is removable. */
  eject(): void {
    this.#ejected = true;
  }

  /** Puts the medium in, of which all but `nexus`, who asked for it, are told. */
  load(nexus: AttachedNexus): void {
    if (!this.#ejected) return;
    this.#ejected = false;
    for (const other of this.#nexuses) {
      if (other !== nexus) other.establish(Sense.notReadyToReadyChange);
    }
  }

  /** Whether any initiator has asked that the medium stays where it is (SPC-4, 6.14). */
  get removalPrevented(): boolean {
    return this.#removalPreventers.size > 0;
  }

  preventRemoval(nexus: AttachedNexus): void {
    this.#removalPreventers.add(nexus);
  }

  allowRemoval(nexus: AttachedNexus): void {
    this.#removalPreventers.delete(nexus);
  }

  /** Those who can reach it now. */
  get nexuses(): ReadonlySet<AttachedNexus> {
    return this.#nexuses;
  }

  /** What all have done who ever used it, since it was opened. */
  traffic(): Traffic {
    return totalTraffic([this.#pastTraffic, ...this.#nexuses.values().map(({ traffic }) => traffic)]);
  }

  /** Notifies also a nexus that begins while there is little space (SBC-3, 4.7.3.7). */
  attach(nexus: AttachedNexus): void {
    this.#nexuses.add(nexus);
    if (!this.canUnmap || !this.#threshold.isReached(this.#thresholdParameters)) return;
    nexus.establish(Sense.thinProvisioningSoftThresholdReached);
  }

  detach(nexus: AttachedNexus): void {
    this.#nexuses.delete(nexus);
    this.#pastTraffic.add(nexus.traffic);
    this.loseNexus(nexus);
  }

  /** A nexus is lost (SAM-5, 6.3.4): it prevents nothing any more, and what it has reserved by RESERVE is free. */
  loseNexus(nexus: AttachedNexus): void {
    this.#removalPreventers.delete(nexus);
    this.reservations.loseNexus(nexus);
  }

  /**
   * CLEAR TASK SET (SAM-5, 7.5). The control mode page says whether there is one task set for all initiators (TST), and
   * that those who lose a task to another hear of it by a unit attention and not by a status (TAS).
   *
   * @param isAffected tells apart the tasks of `nexus`; those of the others all are
   */
  clearTaskSet(nexus: AttachedNexus, isAffected?: (task: Task) => boolean): void {
    this.tasks.whileHeld(() => {
      nexus.abortTasks(isAffected);
      if (this.modes.hasTaskSetPerNexus) return;
      for (const other of this.#nexuses) {
        if (other !== nexus && other.abortTasks()) other.establish(Sense.commandsClearedByAnotherInitiator);
      }
    });
  }

  /** Changes mode parameters for `nexus`; if `change` says that it did, all others are told of it (SPC-4, 6.9). */
  changeModes(nexus: AttachedNexus, change: (modes: ModeParameters) => boolean): void {
    if (!change(this.modes)) return;
    // TST may be another one.
    this.tasks.serve();
    for (const other of this.#nexuses) {
      if (other !== nexus) other.establish(Sense.modeParametersChanged);
    }
  }

  /**
   * A logical unit reset (SAM-5, 6.3.3), of which every initiator hears in the words of what caused it. Mode parameters
   * are the default ones again, as none are saved, nobody prevents the removal of the medium any more, and what RESERVE
   * has reserved is free. Persistent reservations are not affected.
   */
  reset(cause: Attention): void {
    this.modes.reset();
    this.reservations.reset();
    this.#removalPreventers.clear();
    this.tasks.whileHeld(() => {
      for (const nexus of this.#nexuses) nexus.reset(cause);
    });
  }
}
