import { reportStorageFault, type StorageFaultReport } from "../scsi/storage_faults.ts";
import type { AtomicJournal } from "../store/atomic_journal.ts";
import { StoreError } from "../store/block_store.ts";

/**
 * The journal of a logical unit: its failures are reported, and it may be opened later than the unit is made. Failures
 * of the work that it protects are reported where they happen.
 */
export class UnitJournal implements AtomicJournal {
  readonly #report: StorageFaultReport;
  #journal: AtomicJournal | undefined;

  constructor(report: StorageFaultReport) {
    this.#report = report;
  }

  /** Everything that follows goes to `journal`. */
  arrive(journal: AtomicJournal): void {
    this.#journal = journal;
  }

  async protect(offset: number, old: Uint8Array, work: () => Promise<void>): Promise<void> {
    const journal = this.#journal;
    if (journal === undefined) {
      throw new StoreError("writeFailed", "Cannot write the journal: it is not open");
    }
    let failure: unknown;
    const watched = async (): Promise<void> => {
      try {
        await work();
      } catch (error) {
        failure = error;
        throw error;
      }
    };
    try {
      await journal.protect(offset, old, watched);
    } catch (error) {
      if (error !== failure) reportStorageFault(this.#report, error);
      throw error;
    }
  }

  async flush(): Promise<void> {
    try {
      await this.#journal?.flush();
    } catch (error) {
      reportStorageFault(this.#report, error);
      throw error;
    }
  }

  close(): void {
    this.#journal?.close();
  }
}
