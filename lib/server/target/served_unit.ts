import type { LogicalUnitConfig, TargetConfig } from "../../config/config.ts";
import { identityOf } from "../../config/disk.ts";
import { atomicJournalOf } from "../../provision/state_folder.ts";
import type { Identity } from "../../scsi/identity.ts";
import type { ReservationStore } from "../../scsi/reservations/reservation_store.ts";
import { LogicalUnit } from "../../scsi/logical_unit.ts";
import { AdaptiveStore } from "../../store/adaptive_store.ts";
import type { StoreError } from "../../store/block_store.ts";
import { CopyBeforeWrite, type PreservationOptions } from "../../store/copy_before_write.ts";
import type { FileStore } from "../../store/file_store.ts";
import { LateStore } from "../../store/late_store.ts";
import { expectedOf, kindOf, textsOf } from "./disk_kind.ts";
import { nameOf } from "../problem_log.ts";
import { openReservationFile } from "./reservation_file.ts";
import { commandOf } from "./sanitize_file.ts";
import { allocate, type Backing, type BackingOptions, openBacking } from "./unit_backing.ts";
import { UnitFaults } from "./unit_faults.ts";
import { UnitJournal } from "./unit_journal.ts";
import { untilSettled } from "../until_settled.ts";
import type { TrimLimits } from "./trim_limits.ts";
import { trimUnit } from "./unit_trim.ts";
import type { TrimFigures } from "../../scsi/medium/trimmer.ts";
import { errorMessage } from "../../base/error_message.ts";

/** Seconds that initiators have to log out, and running commands to finish, after a change. */
export const GRACE_SECONDS = 10;

const WITHDRAWN = "its content is being replaced by a copy";

/** A way for a unit to leave service. */
interface Departure {
  /** The problem of the unit until its files are open again. */
  readonly reason: string;
  /** Initiators are to wait for the unit, because it returns by itself. */
  readonly isBecomingReady: boolean;
  /** The files stay closed until `readmit`. */
  readonly isWithdrawal: boolean;
  /** Writes the cached data to the medium. Rejects when the files must stay open. */
  readonly flush: () => Promise<void>;
}

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
  /** Resolves when the files of a unit that leaves service have been closed; rejects when it stays. */
  #departure: Promise<void> | undefined;
  #isWithdrawn = false;
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
    this.#problem = options.arriving?.get(path);
    const reservationStore = this.#problem === undefined
      ? this.#try(() => this.#openReservations(options)) ?? "unreadable"
      : "unreadable";
    if (this.#problem === undefined) this.#backing = this.#try(() => this.#openBacking(unit, options));
    if (this.#backing !== undefined) this.#store = adaptive(this.#backing);
    this.#late = this.#backing === undefined
      ? new LateStore(expectedOf(target, unit, options.puncherOf !== undefined))
      : undefined;
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
    this.logicalUnit.isBecomingReady = options.arriving?.has(path) === true;
    if (this.#backing !== undefined) this.#learnSanitize(this.#backing);
  }

  /** The reason for which the unit is not ready, for the user; undefined when it is ready. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** True while the files stay closed, because something else replaces the content. */
  get isWithdrawn(): boolean {
    return this.#isWithdrawn;
  }

  /** Tries again to open the files of a unit that is not ready. On success it is ready and notifies initiators. */
  retry(unit: LogicalUnitConfig, options: BackingOptions): void {
    if (this.#problem === undefined || this.#isClosed) return;
    if (this.#departure !== undefined || this.#isWithdrawn) return;
    this.#problem = options.arriving?.get(unit.path);
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
   * @param isBecomingReady the device can be opened at once, so initiators are to wait
   */
  depart(reason: string, isBecomingReady: boolean): Promise<void> {
    // A withdrawal that fails leaves the device open.
    const afterFailure = (): Promise<void> => this.depart(reason, isBecomingReady);
    if (this.#departure !== undefined) return this.#departure.catch(afterFailure);
    if (this.#backing === undefined || this.#isClosed) return Promise.resolve();
    this.#preserved?.fail("its device is gone");
    const flush = (): Promise<void> => this.#flushLost();
    return this.#leave(this.#backing, { reason, isBecomingReady, isWithdrawal: false, flush });
  }

  /**
   * Takes the unit out of service and closes its files, so that something else can replace the content, until
   * `readmit`. No initiator may have a nexus, so none misses what it has written.
   *
   * @throws {Error} (rejects) when that is not possible now; the unit is served as before
   */
  async withdraw(): Promise<void> {
    this.assertCopyable();
    const { logicalUnit } = this;
    if (logicalUnit.trimmer.figures !== undefined) throw new Error("it is being trimmed; try again later");
    const flush = (): Promise<void> => logicalUnit.flush();
    const departure = { reason: WITHDRAWN, isBecomingReady: true, isWithdrawal: true, flush };
    await this.#leave(this.#backing!, departure);
  }

  /** Ends `withdraw`: the next `retry` may open the files again. */
  readmit(): void {
    this.#isWithdrawn = false;
  }

  #leave(backing: Backing, departure: Departure): Promise<void> {
    this.#backing = undefined;
    this.#problem = departure.reason;
    this.logicalUnit.depart();
    this.logicalUnit.isBecomingReady = departure.isBecomingReady;
    return this.#departure = this.#closeBacking(backing, departure);
  }

  /** Closes the files when no operation on the medium is under way. */
  async #closeBacking(backing: Backing, { isWithdrawal, flush }: Departure): Promise<void> {
    await this.endJobs();
    const release = await this.seize();
    try {
      await flush();
      if (!this.#isClosed) this.#vacate(backing);
      this.#isWithdrawn = isWithdrawal;
    } catch (error) {
      this.#backing = backing;
      this.#problem = undefined;
      this.logicalUnit.arrive(() => {});
      throw error;
    } finally {
      this.#departure = undefined;
      release();
    }
  }

  /** Leaves the store without a medium. Initiators see the properties of the former one. */
  #vacate({ medium }: Backing): void {
    const { sizeBytes, readOnly, canUnmap } = medium;
    this.#store!.replaceMedium(new LateStore({ sizeBytes, readOnly, canUnmap }));
    medium.close();
    this.#journal.close();
  }

  /** Flushes to a device that may be gone, and reports what is lost. */
  async #flushLost(): Promise<void> {
    try {
      await this.logicalUnit.flush();
    } catch (error) {
      this.logicalUnit.loseWrites();
      this.#options.log.error(
        `${errorMessage(error)}; data that initiators wrote since their last flush may be lost, ` +
          "and each gets MEDIUM ERROR for its next flush; check their file systems",
      );
    }
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
    this.#journal.close();
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

function adaptive({ medium }: Backing): AdaptiveStore {
  return new AdaptiveStore(medium, () => performance.now());
}
