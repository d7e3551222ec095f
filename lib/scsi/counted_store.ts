import type { BlockStore } from "../store/block_store.ts";
import type { ByteRange } from "../store/byte_range.ts";
import type { Extent } from "../store/space_map.ts";
import type { ErrorCounter } from "./error_counters.ts";

/** A store that counts what is read and written, whichever command does it: bytes where it went well, failures else. */
export class CountedStore implements BlockStore {
  readonly #store: BlockStore;
  readonly #reads: ErrorCounter;
  readonly #writes: ErrorCounter;

  constructor(store: BlockStore, counters: { readonly read: ErrorCounter; readonly write: ErrorCounter }) {
    this.#store = store;
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
      throw error;
    }
    this.#reads.bytes += into.length;
    return true;
  }

  read(offset: number, into: Uint8Array): Promise<void> {
    return counted(this.#store.read(offset, into), this.#reads, into.length);
  }

  writeNow(offset: number, from: Uint8Array): boolean {
    try {
      if (!this.#store.writeNow(offset, from)) return false;
    } catch (error) {
      this.#writes.uncorrectedErrors++;
      throw error;
    }
    this.#writes.bytes += from.length;
    return true;
  }

  write(offset: number, from: Uint8Array): Promise<void> {
    return counted(this.#store.write(offset, from), this.#writes, from.length);
  }

  flush(): Promise<void> {
    return counted(this.#store.flush(), this.#writes, 0);
  }

  unmap(ranges: readonly ByteRange[]): Promise<void> {
    return this.#store.unmap(ranges);
  }

  extentAt(offset: number): Extent {
    return this.#store.extentAt(offset);
  }

  close(): void {
    this.#store.close();
  }
}

async function counted(work: Promise<void>, counter: ErrorCounter, bytes: number): Promise<void> {
  try {
    await work;
    counter.bytes += bytes;
  } catch (error) {
    counter.uncorrectedErrors++;
    throw error;
  }
}
