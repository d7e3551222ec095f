import type { DiskConfig, LogicalUnitConfig, TargetConfig } from "../config/config.ts";
import { serialNumberOf } from "../config/disk.ts";
import type { Clock } from "../iscsi/clock.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";
import { DEVICES_FOLDER } from "../provision/block_device.ts";
import { isInside } from "../provision/is_inside.ts";
import { atomicJournalOf } from "../provision/state_folder.ts";
import { RECORDED_BYTES } from "../scsi/medium/atomic_limits.ts";
import type { Identity } from "../scsi/identity.ts";
import type { ReservationStore } from "../scsi/reservations/reservation_store.ts";
import { LogicalUnit } from "../scsi/logical_unit.ts";
import type { InquiryTexts, LogicalUnitOptions } from "../scsi/logical_unit_options.ts";
import { AdaptiveStore } from "../store/adaptive_store.ts";
import { AtomicJournalFile } from "../store/atomic_journal.ts";
import { allocateJournal, recoverAtomicWrites, type Recovery } from "../store/atomic_recovery.ts";
import { type BlockStore, StoreError } from "../store/block_store.ts";
import type { FileActivity } from "../store/file_activity.ts";
import { FileStore } from "../store/file_store.ts";
import type { HolePuncher } from "../store/hole_puncher.ts";
import { LateStore, type LateStoreOptions } from "../store/late_store.ts";
import { ThinStore } from "../store/thin_store.ts";
import { nameOf } from "./problem_log.ts";
import { openReservationFile } from "./reservation_file.ts";
import { openSanitizeFile, type SanitizeFile } from "./sanitize_file.ts";
import { UnitFaults } from "./unit_faults.ts";
import { UnitJournal } from "./unit_journal.ts";
import { untilSettled } from "./until_settled.ts";
import { errorMessage } from "../base/error_message.ts";

/** How long work that was begun under other rules may take to its end. */
export const GRACE_SECONDS = 10;

/** What it takes to open the backing of logical units. */
export interface BackingOptions {
  readonly storage: string;
  /** By the path of the backing file. */
  readonly identities: ReadonlyMap<string, Identity>;
  /** What to open in place of a backing file or device, by its path. */
  readonly backingLinks: ReadonlyMap<string, string>;
  /** Why some backings cannot be opened, by their paths; none by default. */
  readonly unavailable?: ReadonlyMap<string, string>;
  /** What makes holes in a backing file; undefined where nothing can. By default nothing can anywhere. */
  readonly puncherOf?: ((path: string) => HolePuncher | undefined) | undefined;
  /** Counts what is under way off the event loop. */
  readonly activity?: FileActivity | undefined;
  readonly log: EventLog;
  readonly clock: Clock;
}

type UnitKind = Omit<
  LogicalUnitOptions,
  "store" | "journal" | "identity" | "readOnly" | "reservationStore" | "isAbsent" | "faults"
>;

/** The open files of a logical unit. */
interface Backing {
  readonly file: FileStore;
  readonly thin: ThinStore | undefined;
  readonly store: BlockStore;
  readonly sanitizeFile: SanitizeFile;
}

/**
 * A logical unit and the files that it is made of. A unit whose files cannot be opened is not ready: initiators see
 * which disk it is, and nothing else. Its files can be opened later.
 */
export class ServedUnit {
  readonly path: string;
  readonly logicalUnit: LogicalUnit;
  readonly #identity: Identity;
  readonly #options: Pick<BackingOptions, "log" | "clock">;
  readonly #faults: UnitFaults;
  readonly #journal: UnitJournal;
  readonly #journalPath: string;
  /** The store of the unit as long as it is not ready. */
  readonly #late: LateStore | undefined;
  #backing: Backing | undefined;
  #problem: string | undefined;
  /** As the conf wants it. */
  #readOnly: boolean;
  #isClosed = false;

  /** Opens a logical unit of a target, as far as that is possible. */
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
    const recorded = options.identities.get(path)!;
    this.path = path;
    this.#identity = { ...recorded, serialNumber: serialNumberOf(disk, number) ?? recorded.serialNumber };
    this.#options = options;
    this.#readOnly = readOnly;
    this.#faults = new UnitFaults(nameOf(target.name, number), options);
    this.#journal = new UnitJournal(this.#faults);
    this.#journalPath = atomicJournalOf(options.storage, this.#identity.naa);
    const reservationStore = this.#try(() => this.#openReservations(options)) ?? "unreadable";
    if (this.#problem === undefined) this.#backing = this.#try(() => this.#openBacking(unit, options));
    this.#late = this.#backing === undefined ? new LateStore(expectedOf(target, unit, options)) : undefined;
    this.logicalUnit = new LogicalUnit({
      store: this.#late ?? this.#backing!.store,
      journal: this.#journal,
      identity: this.#identity,
      readOnly,
      reservationStore,
      isAbsent: this.#late !== undefined,
      faults: this.#faults,
      ...kindOf(disk),
    });
    if (this.#backing !== undefined) this.#learnSanitize(this.#backing);
  }

  /** The reason why the unit is not ready, for the user; undefined when it is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Tries again to open what could not be opened. When that succeeds the unit is ready, and it notifies initiators. */
  retry(unit: LogicalUnitConfig, options: BackingOptions): void {
    if (this.#problem === undefined || this.#isClosed) return;
    this.#problem = undefined;
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
    this.logicalUnit.arrive(() => this.#late!.arrive(backing.store));
  }

  /** Notes why something cannot be opened: whatever that is, it concerns no other unit. */
  #try<T>(open: () => T): T | undefined {
    try {
      return open();
    } catch (error) {
      this.#problem = errorMessage(error);
      return undefined;
    }
  }

  /** Has the unit stay unusable if it was to be sanitized, and was not. */
  #learnSanitize({ sanitizeFile }: Backing): void {
    this.logicalUnit.sanitizer.load(sanitizeFile);
    if (sanitizeFile.problem !== undefined) this.#options.log.warning(sanitizeFile.problem);
  }

  #openReservations({ storage, log, activity }: BackingOptions): ReservationStore {
    const onFailure = (error: StoreError): void => this.#faults.add("reservationsFailed", error);
    return openReservationFile(storage, this.#identity, { log, onFailure, activity });
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
      const sanitizeFile = openSanitizeFile(options.storage, this.#identity, path, activity);
      this.#journal.arrive(this.#openJournal(file, activity));
      const puncher = options.puncherOf?.(path);
      const thin = puncher === undefined
        ? undefined
        : new ThinStore(file, { puncher, isEmpty: file.isEmpty });
      return { file, thin, sanitizeFile, store: new AdaptiveStore(thin ?? file, () => performance.now()) };
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Opens the journal, and first takes back what the death of a server has left half done. */
  #openJournal(file: FileStore, activity: FileActivity | undefined): AtomicJournalFile {
    const { naa } = this.#identity;
    const { log } = this.#options;
    const recovery = recoverAtomicWrites(this.#journalPath, naa, file);
    if (recovery !== undefined) log.warning(describeRecovery(recovery, this.path, this.#journalPath));
    if (!file.readOnly) allocate(this.#journalPath, log);
    const options = { store: file, owner: naa, roomBytes: RECORDED_BYTES, activity };
    return new AtomicJournalFile(this.#journalPath, options);
  }

  /**
   * Does to the file what may fail of what the conf says now. No initiator notices before `follow`.
   *
   * @throws {StoreError} when it fails
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

  /** Is what the conf says now, of which initiators are told as far as it is different. */
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
   * Waits until nothing is under way on the medium any more, be it a copy that was sent to another logical unit, and
   * lets nothing begin.
   *
   * @returns what lets it begin again
   */
  async seize(): Promise<() => void> {
    const { ranges } = this.logicalUnit;
    while (true) {
      // Copies may pass often, but not for ever.
      const hold = await ranges.lock(0, Infinity).hold;
      if (hold !== undefined) return () => ranges.release(hold);
    }
  }

  /** Ends a SANITIZE that is under way: it has failed then, which is remembered until another one completes. */
  async endSanitize(): Promise<void> {
    const { sanitizer } = this.logicalUnit;
    const wasUnderWay = sanitizer.isUnderWay;
    await sanitizer.cancel();
    if (!wasUnderWay || sanitizer.failure === undefined) return;
    this.#options.log.warning(`The SANITIZE of "${this.path}" was ended early and has failed; send it again`);
  }

  /** Makes everything that was written durable. */
  async flush(): Promise<void> {
    await this.logicalUnit.store.flush();
    await this.logicalUnit.journal?.flush();
  }

  /** Nothing may follow. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.logicalUnit.journal?.close();
    this.logicalUnit.store.close();
    this.#faults.end();
  }

  /** No further writes begin; those that have begun may come to their end before the file takes none any more. */
  async #closeForWriting(file: FileStore, path: string): Promise<void> {
    await untilSettled(this.logicalUnit.tasksEnded(), GRACE_SECONDS * 1000, this.#options.clock);
    if (this.#isClosed || !this.#readOnly || file.readOnly) return;
    try {
      file.reopen(path, true);
    } catch (error) {
      // The unit is protected all the same.
      this.#options.log.warning(errorMessage(error));
    }
  }
}

function describeRecovery({ kind, keptPath }: Recovery, path: string, journalPath: string): string {
  switch (kind) {
    case "restored":
      return `Took back an interrupted atomic write to "${path}", recorded in "${journalPath}"`;
    case "incomplete":
      return `Ignored an incomplete record in "${journalPath}": ` +
        `power failed before its atomic write to "${path}" began, which is as it was before`;
    case "other":
      return `Did not take back an atomic write to "${path}": the blocks hold neither what was written nor what was ` +
        `there before, as when another file was put in its place; nothing was changed, and the record is kept in ` +
        `"${keptPath}" until SANITIZE`;
    case "damaged":
      return `Cannot read journal "${journalPath}": it is damaged, and an atomic write to "${path}" that was ` +
        `interrupted may be there in part; check the file system on that disk. The journal is kept in ` +
        `"${keptPath}" until SANITIZE`;
  }
}

/** Has a journal take its space. Without it the unit is served all the same, as long as there is space. */
function allocate(journalPath: string, log: EventLog): void {
  try {
    allocateJournal(journalPath, RECORDED_BYTES);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    log.warning(`${error.message}; atomic writes fail while the file system is full`);
  }
}

/** Returns what initiators can be shown of a medium that has not been opened. */
function expectedOf(
  { readOnly }: TargetConfig,
  { path, sizeBytes }: LogicalUnitConfig,
  { puncherOf }: BackingOptions,
): LateStoreOptions {
  const isDevice = isInside(DEVICES_FOLDER, path);
  return { sizeBytes, readOnly, canUnmap: puncherOf !== undefined && !isDevice };
}

/** What the conf says of the disk, as far as it says anything, in the words of a logical unit. */
function kindOf(disk: DiskConfig): UnitKind {
  const { blockSizeBytes, physicalBlockSizeBytes, removable, vendor } = disk;
  return {
    blockSizeBytes,
    physicalBlockSizeBytes,
    removable,
    ...(vendor !== undefined && { vendor }),
    ...textsOf(disk),
  };
}

function textsOf({ product, revision }: DiskConfig): InquiryTexts {
  return { ...(product !== undefined && { product }), ...(revision !== undefined && { revision }) };
}
