import { reportStorageFault, type StorageFaultReport } from "../../scsi/medium/storage_faults.ts";
import type { AtomicJournal } from "../../store/atomic_journal.ts";
import { StoreError } from "../../store/block_store.ts";
import type { FailedWrite, Replacement } from "../../store/write_or_restore.ts";

/**
 * The journal of a logical unit, which may be opened after the unit. Its own failures are reported here; those of the
 * protected write are reported by the caller.
 */
export class UnitJournal implements AtomicJournal {
  readonly #report: StorageFaultReport;
  #journal: AtomicJournal | undefined;

  constructor(report: StorageFaultReport) {
    this.#report = report;
  }

  /** Uses `journal` from now on. */
  arrive(journal: AtomicJournal): void {
    this.#journal = journal;
  }

  async protect(replacement: Replacement, write: () => Promise<FailedWrite | undefined>): Promise<void> {
    const journal = this.#journal;
    if (journal === undefined) {
      throw new StoreError("writeFailed", "Cannot write the journal: it is not open");
    }
    let failed: FailedWrite | undefined;
    const watched = async (): Promise<FailedWrite | undefined> => failed = await write();
    try {
      await journal.protect(replacement, watched);
    } catch (error) {
      if (error !== failed?.error) reportStorageFault(this.#report, error);
      throw error;
    }
  }

  async flush(): Promise<void> {
    await this.#reporting(this.#journal?.flush());
  }

  async erase(): Promise<void> {
    await this.#reporting(this.#journal?.erase());
  }

  async #reporting(work: Promise<void> | undefined): Promise<void> {
    try {
      await work;
    } catch (error) {
      reportStorageFault(this.#report, error);
      throw error;
    }
  }

  /** Closes the journal until another one arrives. */
  close(): void {
    this.#journal?.close();
    this.#journal = undefined;
  }
}
