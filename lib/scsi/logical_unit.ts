import type { AtomicJournal } from "../store/atomic_journal.ts";
import type { BlockStore } from "../store/block_store.ts";
import type { AttachedNexus } from "./attached_nexus.ts";
import { CountedStore } from "./medium/counted_store.ts";
import { ErrorCounters } from "./counters/error_counters.ts";
import { assertIdentity, type Identity } from "./identity.ts";
import {
  blockSizesOf,
  type InquiryTexts,
  type LogicalUnitOptions,
  type PaddedTexts,
  padTexts,
  padVendor,
} from "./logical_unit_options.ts";
import { MODE_PAGES, ModeParameters, PageControl } from "./pages/mode_pages.ts";
import type { SpaceFigures } from "./pages/provisioning.ts";
import { RangeLocks } from "./medium/range_locks.ts";
import { ReadAhead } from "./medium/read_ahead.ts";
import { Reservations } from "./reservations/reservations.ts";
import { Eraser } from "./medium/eraser.ts";
import { Scratch } from "./medium/scratch.ts";
import { Sense, type SenseCondition } from "./outcome/sense.ts";
import type { StorageFaultReport } from "./medium/storage_faults.ts";
import type { Task } from "./task.ts";
import { TaskSet } from "./task_set.ts";
import { Threshold } from "./pages/threshold.ts";
import { totalTraffic, Traffic } from "./counters/traffic.ts";
import type { Attention } from "./dispatch/unit_attention.ts";
import { Trimmer } from "./medium/trimmer.ts";
import { VolatileCache } from "./medium/volatile_cache.ts";

/** Most bytes that one command may transfer, as the Block Limits VPD page reports (SBC-3, 6.6.3). */
const TRANSFER_LENGTH_MAX_BYTES = 16 * 1024 * 1024;

/**
 * A direct access block device (SBC-3) on a store: the state that is the same for all initiators.
 *
 * The state changes only through the methods here. Each initiator attaches a nexus, through which the unit reports what
 * other initiators have changed.
 */
export class LogicalUnit {
  readonly store: BlockStore;
  /** The same store, for reads that verify, which have their own error counters. */
  readonly verifyingStore: BlockStore;
  readonly journal: AtomicJournal | undefined;
  readonly identity: Identity;
  /** The NAA of the identity, in lower case. */
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
  /** The ranges of the medium that commands access now. */
  readonly ranges = new RangeLocks();
  readonly scratch = new Scratch();
  readonly eraser: Eraser;
  readonly trimmer: Trimmer;
  /** The commands that may begin, and those that wait for others. */
  readonly tasks = new TaskSet({
    isPerNexus: () => this.modes.hasTaskSetPerNexus,
    answersAtOnce: () => this.eraser.isUnderWay,
  });
  readonly #cache = new VolatileCache();
  #capacityBlocks: number;
  #writeProtected: boolean;
  #texts: PaddedTexts;
  readonly #threshold = new Threshold();
  #space: SpaceFigures | undefined;
  readonly reservations: Reservations;
  readonly #nexuses = new Set<AttachedNexus>();
  /** The traffic of former nexuses. */
  readonly #pastTraffic = new Traffic();
  /** The nexuses that prevent the removal of the medium. */
  readonly #removalPreventers = new Set<AttachedNexus>();
  /** The ids of nexuses that do not know yet that data in the cache was lost. A new session may have the same id. */
  readonly #losers = new Set<string>();
  #writesThrough: boolean;
  /** The calls of `setWriteCache` that changed anything. */
  #cacheChanges = 0;
  #absent: boolean;
  #stopped = false;
  #ejected = false;

  /**
   * @throws {RangeError} when a size or a text does not fit
   * @throws {TypeError} when the identity is malformed
   */
  constructor(options: LogicalUnitOptions) {
    const { store, identity, readOnly } = options;
    assertIdentity(identity);
    const { blockSizeBytes, physicalBlockSizeBytes } = blockSizesOf(options);
    this.faults = options.faults;
    const observers = { cache: this.#cache, faults: options.faults };
    this.store = new CountedStore(store, this.counters, observers);
    const verifying = { ...this.counters, read: this.counters.verify };
    this.verifyingStore = new CountedStore(store, verifying, observers);
    this.eraser = new Eraser(this.ranges);
    this.trimmer = new Trimmer(this.store, this.ranges);
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
    this.#writesThrough = options.writeCache === false;
    this.modes.hasWriteCache = !this.#writesThrough;
    this.vendor = padVendor(options.vendor);
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

  /** Commands that change the medium end with GOOD only when the change is durable. */
  get writesThrough(): boolean {
    return this.#writesThrough;
  }

  /** True when a volatile cache holds no byte that is not also on the medium. */
  get isDurable(): boolean {
    return this.#cache.isDurable;
  }

  /**
   * Makes everything written so far durable.
   *
   * @throws {StoreError} (rejects) when this fails
   */
  flush(): Promise<void> {
    return this.#cache.flush(async () => {
      await this.store.flush();
      await this.journal?.flush();
    });
  }

  /** Initiators can unmap blocks: the unit is thinly provisioned, and not write protected. */
  get canUnmap(): boolean {
    return this.store.canUnmap && !this.#writeProtected;
  }

  /** PRODUCT IDENTIFICATION and PRODUCT REVISION LEVEL, padded to the widths of their fields. */
  get texts(): PaddedTexts {
    return this.#texts;
  }

  /** Adopts the size of the store, and notifies every initiator of a change (SBC-3, 4.4: CAPACITY DATA HAS CHANGED). */
  followCapacity(): void {
    const capacityBlocks = Math.floor(this.store.sizeBytes / this.blockSizeBytes);
    if (capacityBlocks === this.#capacityBlocks) return;
    this.#capacityBlocks = capacityBlocks;
    this.#notify(Sense.capacityDataHasChanged);
  }

  /**
   * Sets the write protection, and notifies every initiator that mode parameters have changed, of which WP is one
   * (SPC-4, 5.8). The VPD pages about thin provisioning change with it.
   */
  protect(isProtected: boolean): void {
    if (isProtected === this.#writeProtected) return;
    this.#writeProtected = isProtected;
    this.#notify(Sense.modeParametersChanged);
    if (this.store.canUnmap) this.#notify(Sense.inquiryDataHasChanged);
  }

  /**
   * Gives the unit a volatile write cache, or takes it away, and notifies every initiator (SPC-4, 5.8). Commands write
   * through from the call on. The cache is reported as gone only when what was acknowledged before is durable.
   *
   * @returns a promise that resolves when initiators have been notified; it never rejects
   */
  async setWriteCache(hasWriteCache: boolean): Promise<void> {
    if (hasWriteCache !== this.#writesThrough) return;
    this.#writesThrough = !hasWriteCache;
    const change = ++this.#cacheChanges;
    if (!hasWriteCache) {
      // These may have begun without writing through.
      await this.tasksEnded();
      // A failure is reported by the store, and every later write fails with it.
      await this.flush().catch(() => this.#notify(Sense.deferredWriteError));
    }
    if (change !== this.#cacheChanges || hasWriteCache === this.modes.hasWriteCache) return;
    this.modes.hasWriteCache = hasWriteCache;
    this.#notify(Sense.modeParametersChanged);
    // V_SUP of the Extended INQUIRY Data VPD page.
    this.#notify(Sense.inquiryDataHasChanged);
  }

  /** Replaces the texts of the INQUIRY data, and notifies every initiator (SPC-4, 6.6.1: INQUIRY DATA HAS CHANGED). */
  rename(texts: InquiryTexts): void {
    const padded = padTexts(texts);
    const { product, revision } = this.#texts;
    if (product === padded.product && revision === padded.revision) return;
    this.#texts = padded;
    this.#notify(Sense.inquiryDataHasChanged);
  }

  /** Resolves when every current task has ended. Later tasks do not delay it. */
  async tasksEnded(): Promise<void> {
    await Promise.all([...this.#nexuses].map((nexus) => nexus.tasksEnded()));
  }

  #notify(attention: Attention): void {
    for (const nexus of this.#nexuses) nexus.establish(attention);
  }

  /**
   * The reason that the medium cannot be accessed: it cannot be opened, is ejected, or the unit is stopped (SBC-3,
   * 4.20: the stopped power condition). Undefined when it can be accessed.
   */
  get notReady(): SenseCondition | undefined {
    // Linux treats the second condition as final. For the first it repeats the command.
    if (this.#absent) return this.isBecomingReady ? Sense.becomingReady : Sense.manualInterventionRequired;
    if (this.#ejected) return Sense.mediumNotPresent;
    return this.#stopped ? Sense.initializingCommandRequired : undefined;
  }

  /** True if an absent unit is about to be ready, without anyone's help. */
  isBecomingReady = false;

  /** The medium, or the saved reservations, could not be opened. */
  get isAbsent(): boolean {
    return this.#absent;
  }

  /** Makes the unit absent until `arrive`, because its medium leaves. Running operations on the medium finish. */
  depart(): void {
    this.#absent = true;
  }

  /** Lets the next flush of each initiator fail, because data in the cache did not reach the medium. */
  loseWrites(): void {
    for (const nexus of this.#nexuses) this.#losers.add(nexus.id);
  }

  /** Reports whether data that an initiator may have written is lost, once for each initiator. */
  takeLoss(nexus: AttachedNexus): boolean {
    return this.#losers.delete(nexus.id);
  }

  /**
   * Makes an absent unit ready, and notifies every initiator (SPC-4, 5.14: NOT READY TO READY CHANGE).
   *
   * @param open connects the store of the unit with its medium
   */
  arrive(open: () => void): void {
    const couldUnmap = this.canUnmap;
    open();
    this.#absent = false;
    // The medium may have changed before it was opened.
    this.#cache.change();
    this.followCapacity();
    if (this.canUnmap !== couldUnmap) this.#notify(Sense.inquiryDataHasChanged);
    this.#notify(Sense.notReadyToReadyChange);
  }

  /** The space that the unit takes and could take; undefined until `updateSpace` is called. */
  get space(): SpaceFigures | undefined {
    return this.#space;
  }

  /** Sets the space, and notifies initiators when it falls below the threshold (SBC-3, 4.7.3.7). */
  updateSpace(space: SpaceFigures): void {
    this.#space = space;
    if (!this.canUnmap || !this.#threshold.reaches(space, this.#thresholdParameters)) return;
    this.#notify(Sense.thinProvisioningSoftThresholdReached);
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

  /** Ejects the medium. Only for a removable one. */
  eject(): void {
    this.#ejected = true;
  }

  /** Loads the medium for `nexus`, and notifies all others. */
  load(nexus: AttachedNexus): void {
    if (!this.#ejected) return;
    this.#ejected = false;
    for (const other of this.#nexuses) {
      if (other !== nexus) other.establish(Sense.notReadyToReadyChange);
    }
  }

  /** True while any initiator prevents the removal of the medium (SPC-4, 6.14). */
  get removalPrevented(): boolean {
    return this.#removalPreventers.size > 0;
  }

  preventRemoval(nexus: AttachedNexus): void {
    this.#removalPreventers.add(nexus);
  }

  allowRemoval(nexus: AttachedNexus): void {
    this.#removalPreventers.delete(nexus);
  }

  /** The nexuses that are attached. */
  get nexuses(): ReadonlySet<AttachedNexus> {
    return this.#nexuses;
  }

  /** Returns the traffic of all current and former nexuses, since the unit was opened. It must not be changed. */
  traffic(): Traffic {
    // Most of thousands of units are not in use, and a sum takes longer than the rest of a snapshot.
    if (this.#nexuses.size === 0) return this.#pastTraffic;
    return totalTraffic([this.#pastTraffic, ...this.#nexuses.values().map(({ traffic }) => traffic)]);
  }

  /** Attaches a nexus, and notifies it if space is below the threshold (SBC-3, 4.7.3.7). */
  attach(nexus: AttachedNexus): void {
    this.#nexuses.add(nexus);
    if (!this.canUnmap || !this.#threshold.isReached(this.#thresholdParameters)) return;
    nexus.establish(Sense.thinProvisioningSoftThresholdReached);
  }

  /** Detaches a nexus, which is lost. */
  detach(nexus: AttachedNexus): void {
    this.#nexuses.delete(nexus);
    this.#pastTraffic.add(nexus.traffic);
    this.loseNexus(nexus);
  }

  /** Ends what a lost nexus held (SAM-5, 6.3.4): its prevention of removal, and its reservation by RESERVE. */
  loseNexus(nexus: AttachedNexus): void {
    this.#removalPreventers.delete(nexus);
    this.reservations.loseNexus(nexus);
  }

  /**
   * CLEAR TASK SET (SAM-5, 7.5). By the control mode page, all initiators share one task set unless TST is set, and an
   * initiator is notified of aborted tasks by a unit attention, not by a status (TAS).
   *
   * @param isAffected selects tasks of `nexus`; all tasks of the others are affected
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

  /** Changes mode parameters for `nexus`. If `change` returns true, all others are notified (SPC-4, 6.9). */
  changeModes(nexus: AttachedNexus, change: (modes: ModeParameters) => boolean): void {
    if (!change(this.modes)) return;
    // TST may have changed.
    this.tasks.serve();
    for (const other of this.#nexuses) {
      if (other !== nexus) other.establish(Sense.modeParametersChanged);
    }
  }

  /**
   * Performs a logical unit reset (SAM-5, 6.3.3) and notifies every initiator of its cause. It restores the default
   * mode parameters, since none are saved, and ends the reservation by RESERVE and the prevention of removal.
   * Persistent reservations are not affected.
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
