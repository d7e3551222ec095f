import { type BlockStore, StoreError } from "../../store/block_store.ts";
import type { ByteRange } from "../../store/byte_range.ts";
import { StoreLayer } from "../../store/store_layer.ts";
import type { ErrorCounter } from "../counters/error_counters.ts";
import { reportStorageFault, type StorageFaultReport } from "./storage_faults.ts";
import type { VolatileCache } from "./volatile_cache.ts";

/** The observers of a store. */
export interface StoreObservers {
  /** Records every change of the medium. */
  readonly cache: VolatileCache;
  /** Receives each failure; failures are not reported without it. */
  readonly faults?: StorageFaultReport | undefined;
}

const REFUSED_HOLE = "Unused space was not released: the file system refused a hole (the log has its reason)";

/** A store layer that counts the bytes and errors of reads and writes of all commands, and notifies its observers. */
export class CountedStore extends StoreLayer {
  readonly #reads: ErrorCounter;
  readonly #writes: ErrorCounter;
  readonly #cache: VolatileCache;
  readonly #faults: StorageFaultReport | undefined;
  /** The refused holes that were reported. */
  #refusedHoles = 0;

  constructor(
    store: BlockStore,
    counters: { readonly read: ErrorCounter; readonly write: ErrorCounter },
    { cache, faults }: StoreObservers,
  ) {
    super(store);
    this.#cache = cache;
    this.#faults = faults;
    this.#reads = counters.read;
    this.#writes = counters.write;
  }

  override readNow(offset: number, into: Uint8Array): boolean {
    try {
      if (!this.lower.readNow(offset, into)) return false;
    } catch (error) {
      this.#reads.uncorrectedErrors++;
      reportStorageFault(this.#faults, error);
      throw error;
    }
    this.#reads.bytes += into.length;
    return true;
  }

  override read(offset: number, into: Uint8Array): Promise<void> {
    return this.#counted(this.lower.read(offset, into), this.#reads, into.length);
  }

  override writeNow(offset: number, from: Uint8Array): boolean {
    try {
      if (!this.lower.writeNow(offset, from)) return false;
    } catch (error) {
      this.#cache.change();
      this.#writes.uncorrectedErrors++;
      reportStorageFault(this.#faults, error);
      throw error;
    }
    this.#cache.change();
    this.#writes.bytes += from.length;
    return true;
  }

  override write(offset: number, from: Uint8Array): Promise<void> {
    this.#cache.begin();
    return this.#counted(this.lower.write(offset, from), this.#writes, from.length, this.#cache);
  }

  override flush(): Promise<void> {
    return this.#counted(this.lower.flush(), this.#writes, 0);
  }

  override async unmap(ranges: readonly ByteRange[]): Promise<void> {
    this.#cache.begin();
    try {
      await this.lower.unmap(ranges);
    } catch (error) {
      reportStorageFault(this.#faults, error);
      throw error;
    } finally {
      this.#cache.end();
      this.#reportRefusedHoles();
    }
  }

  /** Reports the holes that were refused since the last call. The command has succeeded nevertheless. */
  #reportRefusedHoles(): void {
    for (const total = this.lower.refusedHoles ?? 0; this.#refusedHoles < total; this.#refusedHoles++) {
      this.#faults?.add("holeFailed", new StoreError("writeFailed", REFUSED_HOLE));
    }
  }

  async #counted(
    work: Promise<void>,
    counter: ErrorCounter,
    bytes: number,
    written?: VolatileCache,
  ): Promise<void> {
    try {
      await work;
      counter.bytes += bytes;
    } catch (error) {
      counter.uncorrectedErrors++;
      reportStorageFault(this.#faults, error);
      throw error;
    } finally {
      written?.end();
    }
  }
}
