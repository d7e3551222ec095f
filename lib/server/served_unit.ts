import type { DiskConfig, LogicalUnitConfig, TargetConfig } from "../config/config.ts";
import { identityOf } from "../config/disk.ts";
import type { Clock } from "../iscsi/clock.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";
import { DEVICES_FOLDER } from "../provision/block_device.ts";
import { isInside } from "../provision/is_inside.ts";
import { atomicJournalOf } from "../provision/state_folder.ts";
import type { Identity } from "../scsi/identity.ts";
import type { ReservationStore } from "../scsi/reservations/reservation_store.ts";
import { LogicalUnit } from "../scsi/logical_unit.ts";
import type { InquiryTexts, LogicalUnitOptions } from "../scsi/logical_unit_options.ts";
import { AdaptiveStore } from "../store/adaptive_store.ts";
import type { StoreError } from "../store/block_store.ts";
import { CopyBeforeWrite, type PreservationOptions } from "../store/copy_before_write.ts";
import type { FileActivity } from "../store/file_activity.ts";
import type { FileStore } from "../store/file_store.ts";
import type { HolePuncher } from "../store/hole_puncher.ts";
import { LateStore, type LateStoreOptions } from "../store/late_store.ts";
import { nameOf } from "./problem_log.ts";
import { openReservationFile } from "./reservation_file.ts";
import { commandOf } from "./sanitize_file.ts";
import { allocate, type Backing, openBacking } from "./unit_backing.ts";
import { UnitFaults } from "./unit_faults.ts";
import { UnitJournal } from "./unit_journal.ts";
import { untilSettled } from "./until_settled.ts";
import type { TrimLimits } from "./trim_limits.ts";
import { trimUnit } from "./unit_trim.ts";
import type { TrimFigures } from "../scsi/medium/trimmer.ts";
import { errorMessage } from "../base/error_message.ts";

/** Seconds that initiators have to log out, and running commands to finish, after a change. */
export const GRACE_SECONDS = 10;

/** The options with which the backing files of logical units are opened. */
export interface BackingOptions {
  /** The folder in which this worker keeps state. */
  readonly place: string;
  /** Identities by the path of the backing file. */
  readonly identities: ReadonlyMap<string, Identity>;
  /** The link to open for a backing file or device, by its path. */
  readonly backingLinks: ReadonlyMap<string, string>;
  /** Reasons for which some backings cannot be opened, by path; none by default. */
  readonly unavailable?: ReadonlyMap<string, string>;
  /** Backings that another worker is about to close: their state must not be read yet. None by default. */
  readonly arriving?: ReadonlySet<string>;
  /** Returns the hole puncher of a backing file; undefined if it supports no holes. None by default. */
  readonly puncherOf?: ((path: string) => HolePuncher | undefined) | undefined;
  /** Counts operations off the event loop. */
  readonly activity?: FileActivity | undefined;
  readonly log: EventLog;
  readonly clock: Clock;
  /** Called with the path of a backing that fails. */
  readonly onFault?: ((path: string) => void) | undefined;
}

type UnitKind = Omit<
  LogicalUnitOptions,
  "store" | "journal" | "identity" | "readOnly" | "reservationStore" | "isAbsent" | "faults"
>;

/**
 * A logical unit with its files. A unit whose files cannot be opened is not ready: initiators can identify the disk but
 * not access it. Its files can be opened later.
 */
export class ServedUnit {
  readonly path: string;
  readonly logicalUnit: LogicalUnit;
  /** The recorded identity, by which the unit's state is named whatever identity initiators see. */
  readonly #recorded: Identity;
  readonly #options: Pick<BackingOptions, "log" | "clock">;
  readonly #faults: UnitFaults;
  readonly #journal: UnitJournal;
  readonly #journalPath: string;
  /** The store of a unit that was not ready when it was opened. */
  readonly #late: LateStore | undefined;
  #backing: Backing | undefined;
  /** The store of the logical unit, above the medium that is open or was open last; undefined before the first one. */
  #store: AdaptiveStore | undefined;
  /** Resolves when the files of a lost device have been closed. */
  #departure: Promise<void> | undefined;
  #problem: string | undefined;
  /** The `readonly` option of the conf. */
  #readOnly: boolean;
  #isClosed = false;
  /** Preserves the content of a moment for a copy. */
  #preserved: CopyBeforeWrite | undefined;

  /** Opens a logical unit. If its files cannot be opened, it is not ready. */
  static open(target: TargetConfig, unit: LogicalUnitConfig, options: BackingOptions): ServedUnit {
    return new ServedUnit(target, unit, options);
  }

  private constructor(
    target: TargetConfig,
    unit: LogicalUnitConfig,
    options: BackingOptions,
  ) {
    const { readOnly, disk } = target;
    const { number, path } = unit;
    this.path = path;
    this.#recorded = options.identities.get(path)!;
    this.#options = options;
    this.#readOnly = readOnly;
    const { log, clock } = options;
    const onFault = (): void => options.onFault?.(path);
    this.#faults = new UnitFaults(nameOf(target.name, number), { log, clock, onFault });
    this.#journal = new UnitJournal(this.#faults);
    this.#journalPath = atomicJournalOf(options.place, this.#recorded.naa);
    this.#problem = arrivalOf(path, options);
    const reservationStore = this.#problem === undefined
      ? this.#try(() => this.#openReservations(options)) ?? "unreadable"
      : "unreadable";
    if (this.#problem === undefined) this.#backing = this.#try(() => this.#openBacking(unit, options));
    if (this.#backing !== undefined) this.#store = adaptive(this.#backing);
    this.#late = this.#backing === undefined ? new LateStore(expectedOf(target, unit, options)) : undefined;
    this.logicalUnit = new LogicalUnit({
      store: this.#late ?? this.#store!,
      journal: this.#journal,
      identity: identityOf(disk, unit, this.#recorded),
      readOnly,
      reservationStore,
      isAbsent: this.#late !== undefined,
      faults: this.#faults,
      ...kindOf(disk),
    });
    this.logicalUnit.isBecomingReady = arrivalOf(path, options) !== undefined;
    if (this.#backing !== undefined) this.#learnSanitize(this.#backing);
  }

  /** The reason for which the unit is not ready, for the user; undefined when it is ready. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Tries again to open the files of a unit that is not ready. On success it is ready and notifies initiators. */
  retry(unit: LogicalUnitConfig, options: BackingOptions): void {
    if (this.#problem === undefined || this.#isClosed || this.#departure !== undefined) return;
    this.#problem = arrivalOf(unit.path, options);
    this.logicalUnit.isBecomingReady = this.#problem !== undefined;
    if (this.#problem !== undefined) return;
    const { reservations } = this.logicalUnit;
    if (reservations.areUnknown) {
      const store = this.#try(() => this.#openReservations(options));
      if (store === undefined) return;
      reservations.learn(store);
    }
    const backing = this.#try(() => this.#openBacking(unit, options));
    if (backing === undefined) return;
    this.#backing = backing;
    this.#learnSanitize(backing);
    this.logicalUnit.arrive(() => this.#connect(backing));
  }

  #connect(backing: Backing): void {
    if (this.#store !== undefined) return void this.#store.replaceMedium(backing.medium);
    this.#store = adaptive(backing);
    this.#late!.arrive(this.#store);
  }

  /**
   * Closes the files of a unit whose device is gone, or is another one now. The unit is not ready until `retry` opens
   * them again. Writes that the device did not get are reported to initiators.
   *
   * @param reason the problem of the unit until then
   */
  depart(
    target: TargetConfig,
    unit: LogicalUnitConfig,
    options: BackingOptions,
    reason: string,
  ): Promise<void> {
    const backing = this.#backing;
    if (backing === undefined || this.#isClosed) return this.#departure ?? Promise.resolve();
    this.#backing = undefined;
    this.#problem = reason;
    this.logicalUnit.depart();
    // What can be opened at once makes initiators wait, and not fail.
    this.logicalUnit.isBecomingReady = options.unavailable?.has(this.path) !== true;
    const expected = new LateStore(expectedOf(target, unit, options));
    return this.#departure = this.#closeLost(backing, expected);
  }

  async #closeLost({ medium }: Backing, expected: LateStore): Promise<void> {
    await this.endJobs();
    this.#preserved?.fail("its device is gone");
    const release = await this.seize();
    try {
      await this.logicalUnit.flush();
    } catch (error) {
      this.logicalUnit.loseWrites();
      this.#options.log.error(
        `${
          errorMessage(error)
        }; data that initiators wrote since their last flush may be lost, and each gets MEDIUM ` +
          "ERROR for its next flush; check their file systems",
      );
    }
    if (!this.#isClosed) {
      this.#store!.replaceMedium(expected);
      medium.close();
      this.#journal.depart();
    }
    this.#departure = undefined;
    release();
  }

  /** Records why the unit cannot be opened. Any error affects only this unit. */
  #try<T>(open: () => T): T | undefined {
    try {
      return open();
    } catch (error) {
      this.#problem = errorMessage(error);
      return undefined;
    }
  }

  /** Keeps the medium unusable if its last SANITIZE or FORMAT UNIT did not complete. */
  #learnSanitize({ sanitizeFile }: Backing): void {
    this.logicalUnit.eraser.load(sanitizeFile);
    if (sanitizeFile.problem !== undefined) this.#options.log.warning(sanitizeFile.problem);
  }

  #openReservations({ place, log, activity }: BackingOptions): ReservationStore {
    const onFailure = (error: StoreError): void => this.#faults.add("reservationsFailed", error);
    return openReservationFile(place, this.#recorded, { log, onFailure, activity });
  }

  /** Opens the files of the unit, with the journal that protects its atomic writes. */
  #openBacking(unit: LogicalUnitConfig, options: BackingOptions): Backing {
    const [recorded, readOnly, journalPath] = [this.#recorded, this.#readOnly, this.#journalPath];
    const opened = openBacking(unit, { ...options, recorded, readOnly, journalPath });
    this.#journal.arrive(opened.journal);
    return opened;
  }

  /**
   * Applies the parts of a new conf that may fail to the file. Initiators notice nothing before `follow`.
   *
   * @throws {StoreError} when that fails
   */
  prepare(
    { readOnly }: TargetConfig,
    { sizeBytes }: LogicalUnitConfig,
    backingLinks: BackingOptions["backingLinks"],
  ): void {
    if (this.#backing === undefined) return;
    const { file, thin } = this.#backing;
    if (sizeBytes > file.sizeBytes) {
      file.grow(sizeBytes);
      thin?.adaptToGrowth();
    }
    if (file.readOnly && !readOnly) {
      file.reopen(backingLinks.get(this.path) ?? this.path, false);
      allocate(this.#journalPath, this.#options.log);
    }
  }

  /** Applies a new conf, and notifies initiators of the differences. */
  follow({ readOnly, disk }: TargetConfig, backingLinks: BackingOptions["backingLinks"]): void {
    this.#readOnly = readOnly;
    this.logicalUnit.followCapacity();
    this.logicalUnit.rename(textsOf(disk));
    this.logicalUnit.protect(readOnly);
    this.logicalUnit.setWriteCache(disk.writeCache);
    if (readOnly && this.#backing?.file.readOnly === false) {
      this.#closeForWriting(this.#backing.file, backingLinks.get(this.path) ?? this.path);
    }
  }

  /**
   * Waits until no operation on the medium is under way, including copies from and to other logical units, and lets
   * none begin.
   *
   * @returns a function that lets operations begin again
   */
  async seize(): Promise<() => void> {
    const { ranges } = this.logicalUnit;
    while (true) {
      // Copies may overtake this several times, but not for ever.
      const hold = await ranges.lock(0, Infinity).hold;
      if (hold !== undefined) return () => ranges.release(hold);
    }
  }

  /** @throws {Error} when the unit cannot be copied now; the message is for the user */
  assertCopyable(): void {
    if (this.#backing === undefined || this.#isClosed) {
      throw new Error(this.#problem ?? "it has been removed");
    }
    if (this.logicalUnit.eraser.isUnderWay) throw new Error("it is being erased; try again later");
    if (this.#preserved !== undefined) throw new Error("it is being copied; try again later");
  }

  /**
   * Preserves the content of a moment at which no operation on the medium is under way, until it is removed.
   *
   * @throws {Error} (rejects) when the unit is not ready, or is being erased
   */
  async preserve(options: PreservationOptions): Promise<{ layer: CopyBeforeWrite; remove: () => void }> {
    this.assertCopyable();
    const release = await this.seize();
    try {
      this.assertCopyable();
      const { layer, remove } = this.#store!.interpose((lower) => new CopyBeforeWrite(lower, options));
      this.#preserved = layer;
      return { layer, remove: () => (remove(), void (this.#preserved = undefined)) };
    } finally {
      release();
    }
  }

  /**
   * Gives the space of blocks back that hold only zeros.
   *
   * @throws {Error} (rejects) when that is not possible now; the message is for the user
   */
  trim(limits: TrimLimits): Promise<TrimFigures> {
    const { path, logicalUnit } = this;
    const { clock } = this.#options;
    return trimUnit({ path, logicalUnit, problem: this.#problem, readOnly: this.#readOnly, clock }, limits);
  }

  /** Ends a running trim, and a running SANITIZE or FORMAT UNIT, which counts as failed until another one completes. */
  async endJobs(): Promise<void> {
    const { eraser, trimmer } = this.logicalUnit;
    await trimmer.cancel();
    const wasUnderWay = eraser.isUnderWay;
    await eraser.cancel();
    if (!wasUnderWay || eraser.failure === undefined) return;
    const command = commandOf(eraser.failure);
    this.#options.log.warning(`${command} of "${this.path}" was interrupted and has failed; send it again`);
  }

  /** Flushes all written data to stable storage. */
  async flush(): Promise<void> {
    await this.logicalUnit.store.flush();
    await this.logicalUnit.journal?.flush();
  }

  /** Closes all files. No other call may follow. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#preserved?.fail("its LUN was closed");
    this.logicalUnit.journal?.close();
    this.logicalUnit.store.close();
    this.#faults.end();
  }

  /** Stops new writes. Running ones may finish before the file is reopened read-only. */
  async #closeForWriting(file: FileStore, path: string): Promise<void> {
    await untilSettled(this.logicalUnit.tasksEnded(), GRACE_SECONDS * 1000, this.#options.clock);
    if (this.#isClosed || !this.#readOnly || file.readOnly) return;
    try {
      file.reopen(path, true);
    } catch (error) {
      // The unit itself still refuses writes.
      this.#options.log.warning(errorMessage(error));
    }
  }
}

/** Returns the reason for which a backing cannot be opened yet; undefined when no other worker has it. */
function arrivalOf(path: string, { arriving, unavailable }: BackingOptions): string | undefined {
  if (!(arriving?.has(path) ?? false)) return undefined;
  return unavailable?.get(path) ??
    `"${path}" is still open at the port that served it before; it is opened here when it has been closed there`;
}

/** Returns the properties of a medium that is not open yet, for initiators. */
function expectedOf(
  { readOnly, disk: { blockSizeBytes } }: TargetConfig,
  unit: LogicalUnitConfig,
  { puncherOf }: BackingOptions,
): LateStoreOptions {
  const isDevice = isInside(DEVICES_FOLDER, unit.path);
  // The size of a device that was never measured is 0.
  const sizeBytes = Math.max(unit.sizeBytes, blockSizeBytes);
  return { sizeBytes, readOnly, canUnmap: puncherOf !== undefined && !isDevice };
}

function adaptive({ medium }: Backing): AdaptiveStore {
  return new AdaptiveStore(medium, () => performance.now());
}

/** Returns the disk options of the conf as options of a logical unit. */
function kindOf(disk: DiskConfig): UnitKind {
  const { blockSizeBytes, physicalBlockSizeBytes, removable, writeCache, vendor } = disk;
  const sizes = { blockSizeBytes, physicalBlockSizeBytes };
  return { ...sizes, removable, writeCache, ...(vendor !== undefined && { vendor }), ...textsOf(disk) };
}

function textsOf({ product, revision }: DiskConfig): InquiryTexts {
  return { ...(product !== undefined && { product }), ...(revision !== undefined && { revision }) };
}
