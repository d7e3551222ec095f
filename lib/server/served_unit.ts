import type { DiskConfig, LogicalUnitConfig, TargetConfig } from "../config/config.ts";
import { serialNumberOf } from "../config/disk.ts";
import type { Clock } from "../iscsi/clock.ts";
import type { EventLog } from "../iscsi/event_log.ts";
import { atomicJournalOf } from "../provision/state_folder.ts";
import type { Identity } from "../scsi/identity.ts";
import { type InquiryTexts, LogicalUnit, type LogicalUnitOptions } from "../scsi/logical_unit.ts";
import { AdaptiveStore } from "../store/adaptive_store.ts";
import { type AtomicJournal, AtomicJournalFile } from "../store/atomic_journal.ts";
import { FileStore } from "../store/file_store.ts";
import type { HolePuncher } from "../store/hole_puncher.ts";
import { ThinStore } from "../store/thin_store.ts";
import { openReservationFile } from "./reservation_file.ts";
import { untilSettled } from "./until_settled.ts";

/** How long work that was begun under other rules may take to its end. */
export const GRACE_SECONDS = 10;

/** What it takes to open the backing of logical units. */
export interface BackingOptions {
  readonly storage: string;
  /** By the path of the backing file. */
  readonly identities: ReadonlyMap<string, Identity>;
  /** What to open in place of a backing file or device, by its path. */
  readonly standIns: ReadonlyMap<string, string>;
  /** What makes holes in a backing file; undefined where nothing can. By default nothing can anywhere. */
  readonly puncherOf?: ((path: string) => HolePuncher | undefined) | undefined;
  readonly log: EventLog;
  readonly clock: Clock;
}

type UnitKind = Omit<
  LogicalUnitOptions,
  "store" | "journal" | "identity" | "readOnly" | "reservationStore"
>;

/** A logical unit and the files that it is made of. */
export class ServedUnit {
  readonly path: string;
  readonly logicalUnit: LogicalUnit;
  readonly #options: Pick<BackingOptions, "log" | "clock">;
  readonly #file: FileStore;
  readonly #thin: ThinStore | undefined;
  /** As the conf wants it. */
  #readOnly: boolean;
  #isClosed = false;

  /**
   * Opens a logical unit of a target.
   *
   * @throws {Error} when a file cannot be opened, or what is in it cannot be read; nothing stays open then
   */
  static open(
    target: TargetConfig,
    { number, path, sizeBytes }: LogicalUnitConfig,
    options: BackingOptions,
  ): ServedUnit {
    const { readOnly, disk } = target;
    const file = FileStore.open(options.standIns.get(path) ?? path, { sizeBytes, readOnly });
    try {
      const recorded = options.identities.get(path)!;
      const identity = { ...recorded, serialNumber: serialNumberOf(disk, number) ?? recorded.serialNumber };
      const journal = openJournal(file, identity, options);
      const puncher = options.puncherOf?.(path);
      const thin = puncher === undefined
        ? undefined
        : new ThinStore(file, { puncher, isEmpty: file.isEmpty });
      const store = new AdaptiveStore(thin ?? file, () => performance.now());
      const { storage, log } = options;
      const onFailure = ({ message }: Error): void => log.warning(message);
      const reservationStore = openReservationFile(storage, identity, { log, onFailure });
      const unit = { store, journal, identity, readOnly, reservationStore, ...kindOf(disk) };
      return new ServedUnit(new LogicalUnit(unit), { path, file, thin, readOnly }, options);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  private constructor(
    logicalUnit: LogicalUnit,
    parts: { path: string; file: FileStore; thin: ThinStore | undefined; readOnly: boolean },
    options: BackingOptions,
  ) {
    this.logicalUnit = logicalUnit;
    this.path = parts.path;
    this.#file = parts.file;
    this.#thin = parts.thin;
    this.#readOnly = parts.readOnly;
    this.#options = options;
  }

  /**
   * Does to the file what may fail of what the conf says now. No initiator notices before `follow`.
   *
   * @throws {StoreError} when it fails
   */
  prepare(
    { readOnly }: TargetConfig,
    { sizeBytes }: LogicalUnitConfig,
    standIns: BackingOptions["standIns"],
  ): void {
    if (sizeBytes > this.#file.sizeBytes) {
      this.#file.grow(sizeBytes);
      this.#thin?.follow();
    }
    if (this.#file.readOnly && !readOnly) this.#file.reopen(standIns.get(this.path) ?? this.path, false);
  }

  /** Is what the conf says now, of which initiators are told as far as it is different. */
  follow({ readOnly, disk }: TargetConfig, standIns: BackingOptions["standIns"]): void {
    this.#readOnly = readOnly;
    this.logicalUnit.followCapacity();
    this.logicalUnit.rename(textsOf(disk));
    this.logicalUnit.protect(readOnly);
    if (readOnly && !this.#file.readOnly) this.#closeForWriting(standIns.get(this.path) ?? this.path);
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
  }

  /** No further writes begin; those that have begun may come to their end before the file takes none any more. */
  async #closeForWriting(path: string): Promise<void> {
    await untilSettled(this.logicalUnit.tasksEnded(), GRACE_SECONDS * 1000, this.#options.clock);
    if (this.#isClosed || !this.#readOnly || this.#file.readOnly) return;
    try {
      this.#file.reopen(path, true);
    } catch (error) {
      // The unit is protected all the same.
      this.#options.log.warning(error instanceof Error ? error.message : String(error));
    }
  }
}

/** Opens the journal of a backing file, and first takes back what the death of a server has left half done. */
function openJournal(file: FileStore, { naa }: Identity, { storage, log }: BackingOptions): AtomicJournal {
  const path = atomicJournalOf(storage, naa);
  const journal = new AtomicJournalFile(path);
  if (journal.recover(file)) log.warning(`Took back an interrupted atomic write, recorded in "${path}"`);
  return journal;
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
