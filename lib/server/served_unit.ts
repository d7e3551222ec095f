import type { LogicalUnitConfig, TargetConfig } from "../config/config.ts";
import { identityOf } from "../config/disk.ts";
import type { Clock } from "../iscsi/clock.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";
import { atomicJournalOf } from "../provision/state_folder.ts";
import type { Identity } from "../scsi/identity.ts";
import type { ReservationStore } from "../scsi/reservations/reservation_store.ts";
import { LogicalUnit } from "../scsi/logical_unit.ts";
import { AdaptiveStore } from "../store/adaptive_store.ts";
import { type BlockStore, StoreError } from "../store/block_store.ts";
import { CopyBeforeWrite, type PreservationOptions } from "../store/copy_before_write.ts";
import type { FileActivity } from "../store/file_activity.ts";
import { FileStore } from "../store/file_store.ts";
import type { HolePuncher } from "../store/hole_puncher.ts";
import { LateStore } from "../store/late_store.ts";
import { ThinStore } from "../store/thin_store.ts";
import { nameOf } from "./problem_log.ts";
import { openReservationFile } from "./reservation_file.ts";
import { commandOf, openSanitizeFile, type SanitizeFile } from "./sanitize_file.ts";
import { UnitFaults } from "./unit_faults.ts";
import { UnitJournal } from "./unit_journal.ts";
import { untilSettled } from "./until_settled.ts";
import type { TrimLimits } from "./trim_limits.ts";
import { trimUnit } from "./unit_trim.ts";
import type { TrimFigures } from "../scsi/medium/trimmer.ts";
import { errorMessage } from "../base/error_message.ts";
import { expectedOf, kindOf, textsOf } from "./disk_kind.ts";
import { allocateUnitJournal, openUnitJournal } from "./open_unit_journal.ts";

/** Seconds that initiators have to log out, and running commands to finish, after a change. */
export const GRACE_SECONDS = 10;

const WITHDRAWN = "its content is being replaced by a copy";

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
  /** Reasons for which backings, with their state, must not be opened yet, by path. None by default. */
  readonly arriving?: ReadonlyMap<string, string>;
  /** Returns the hole puncher of a backing file; undefined if it supports no holes. None by default. */
  readonly puncherOf?: ((path: string) => HolePuncher | undefined) | undefined;
  /** Counts operations off the event loop. */
  readonly activity?: FileActivity | undefined;
  readonly log: EventLog;
  readonly clock: Clock;
}

/** The open files of a logical unit. */
interface Backing {
  readonly file: FileStore;
  readonly thin: ThinStore | undefined;
  readonly store: AdaptiveStore;
  readonly sanitizeFile: SanitizeFile;
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
  #problem: string | undefined;
  /** The `readonly` option of the conf. */
  #readOnly: boolean;
  #isClosed = false;
  #isWithdrawn = false;
  /** The store of a unit that was withdrawn, without a medium. */
  #vacant: AdaptiveStore | undefined;
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
    this.#faults = new UnitFaults(nameOf(target.name, number), options);
    this.#journal = new UnitJournal(this.#faults);
    this.#journalPath = atomicJournalOf(options.place, this.#recorded.naa);
    this.#problem = options.arriving?.get(path);
    const reservationStore = this.#problem === undefined
      ? this.#try(() => this.#openReservations(options)) ?? "unreadable"
      : "unreadable";
    if (this.#problem === undefined) this.#backing = this.#try(() => this.#openBacking(unit, options));
    this.#late = this.#backing === undefined
      ? new LateStore(expectedOf(target, unit, options.puncherOf !== undefined))
      : undefined;
    this.logicalUnit = new LogicalUnit({
      store: this.#late ?? this.#backing!.store,
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

  /** Tries again to open the files of a unit that is not ready. On success it is ready and notifies initiators. */
  retry(unit: LogicalUnitConfig, options: BackingOptions): void {
    if (this.#problem === undefined || this.#isClosed || this.#isWithdrawn) return;
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
    this.logicalUnit.arrive(() => this.#late?.arrive(backing.store));
  }

  /** True while the file is closed because something else replaces it. */
  get isWithdrawn(): boolean {
    return this.#isWithdrawn;
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
    this.#isWithdrawn = true;
    this.#problem = WITHDRAWN;
    logicalUnit.depart();
    const release = await this.seize();
    try {
      await this.flush();
      this.#closeBacking();
    } catch (error) {
      this.#isWithdrawn = false;
      this.#problem = undefined;
      logicalUnit.arrive(() => {});
      throw error;
    } finally {
      release();
    }
  }

  /** Ends `withdraw`: the next `retry` may open the files again. */
  readmit(): void {
    this.#isWithdrawn = false;
  }

  #closeBacking(): void {
    const { store } = this.#backing!;
    const { sizeBytes, readOnly, canUnmap } = store;
    this.logicalUnit.journal?.close();
    store.exchange(new LateStore({ sizeBytes, readOnly, canUnmap })).close();
    this.#vacant = store;
    this.#backing = undefined;
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

  #openBacking({ path, sizeBytes }: LogicalUnitConfig, options: BackingOptions): Backing {
    const problem = options.unavailable?.get(path);
    if (problem !== undefined) throw new StoreError("readFailed", problem);
    const { backingLinks, activity } = options;
    const file = FileStore.open(path, {
      at: backingLinks.get(path),
      sizeBytes,
      readOnly: this.#readOnly,
      activity,
    });
    try {
      const sanitizeFile = openSanitizeFile(options.place, this.#recorded, path, activity);
      const journal = {
        journalPath: this.#journalPath,
        path,
        naa: this.#recorded.naa,
        log: options.log,
        activity,
      };
      this.#journal.arrive(openUnitJournal(file, journal));
      const puncher = options.puncherOf?.(path);
      const thin = puncher === undefined
        ? undefined
        : new ThinStore(file, { puncher, isEmpty: file.isEmpty });
      return { file, thin, sanitizeFile, store: this.#storeOf(thin ?? file) };
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Returns the store above a medium: the one that initiators have used before, if there is one. */
  #storeOf(medium: BlockStore): AdaptiveStore {
    const vacant = this.#vacant;
    this.#vacant = undefined;
    vacant?.exchange(medium);
    return vacant ?? new AdaptiveStore(medium, () => performance.now());
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
      allocateUnitJournal(this.#journalPath, this.#options.log);
    }
  }

  /** Applies a new conf, and notifies initiators of the differences. */
  follow({ readOnly, disk }: TargetConfig, backingLinks: BackingOptions["backingLinks"]): void {
    this.#readOnly = readOnly;
    this.logicalUnit.followCapacity();
    this.logicalUnit.rename(textsOf(disk));
    this.logicalUnit.protect(readOnly);
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
      const { layer, remove } = this.#backing!.store.interpose((lower) =>
        new CopyBeforeWrite(lower, options)
      );
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
