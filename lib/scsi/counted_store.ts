import type { BlockStore } from "../store/block_store.ts";
import type { ByteRange } from "../store/byte_range.ts";
import type { Extent } from "../store/space_map.ts";
import type { ErrorCounter } from "./error_counters.ts";
import { reportStorageFault, type StorageFaultReport } from "./storage_faults.ts";

/**
 * A store that counts what is read and written, whichever command does it: bytes where it went well, failures else. It
 * also reports each failure.
 */
export class CountedStore implements BlockStore {
  readonly #store: BlockStore;
  readonly #reads: ErrorCounter;
  readonly #writes: ErrorCounter;
  readonly #faults: StorageFaultReport | undefined;

  constructor(
    store: BlockStore,
    counters: { readonly read: ErrorCounter; readonly write: ErrorCounter },
    faults?: StorageFaultReport,
  ) {
    this.#store = store;
    this.#faults = faults;
    this.#reads = counters.read;
    this.#writes = counters.write;
  }

  get sizeBytes(): number {
    return this.#store.sizeBytes;
  }

  get readOnly(): boolean {
    return this.#store.readOnly;
  }

  get canUnmap(): boolean {
    return this.#store.canUnmap;
  }

  readNow(offset: number, into: Uint8Array): boolean {
    try {
      if (!this.#store.readNow(offset, into)) return false;
    } catch (error) {
      this.#reads.uncorrectedErrors++;
      reportStorageFault(this.#faults, error);
      throw error;
    }
    this.#reads.bytes += into.length;
    return true;
  }

  read(offset: number, into: Uint8Array): Promise<void> {
    return this.#counted(this.#store.read(offset, into), this.#reads, into.length);
  }

  writeNow(offset: number, from: Uint8Array): boolean {
    try {
      if (!this.#store.writeNow(offset, from)) return false;
    } catch (error) {
      this.#writes.uncorrectedErrors++;
      reportStorageFault(this.#faults, error);
      throw error;
    }
    this.#writes.bytes += from.length;
    return true;
  }

  write(offset: number, from: Uint8Array): Promise<void> {
    return this.#counted(this.#store.write(offset, from), this.#writes, from.length);
  }

  flush(): Promise<void> {
    return this.#counted(this.#store.flush(), this.#writes, 0);
  }

  async unmap(ranges: readonly ByteRange[]): Promise<void> {
    try {
      await this.#store.unmap(ranges);
    } catch (error) {
      reportStorageFault(this.#faults, error);
      throw error;
    }
  }

  extentAt(offset: number): Extent {
    return this.#store.extentAt(offset);
  }

  close(): void {
    this.#store.close();
  }

  async #counted(work: Promise<void>, counter: ErrorCounter, bytes: number): Promise<void> {
    try {
      await work;
      counter.bytes += bytes;
    } catch (error) {
      counter.uncorrectedErrors++;
      reportStorageFault(this.#faults, error);
      throw error;
    }
  }
}
