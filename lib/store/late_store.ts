import { type BlockStore, StoreError, type StoreErrorKind } from "./block_store.ts";
import type { ByteRange } from "./byte_range.ts";
import type { Extent } from "./space_map.ts";

/** The properties of a `LateStore` until its medium is opened. */
export interface LateStoreOptions {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly canUnmap: boolean;
}

/**
 * A store whose medium could not be opened yet. Until it is, all operations on the medium fail; the caller refuses such
 * work before.
 */
export class LateStore implements BlockStore {
  readonly #expected: LateStoreOptions;
  #store: BlockStore | undefined;

  constructor(expected: LateStoreOptions) {
    this.#expected = expected;
  }

  /** Forwards everything to `store` from now on. */
  arrive(store: BlockStore): void {
    this.#store = store;
  }

  get sizeBytes(): number {
    return (this.#store ?? this.#expected).sizeBytes;
  }

  get readOnly(): boolean {
    return (this.#store ?? this.#expected).readOnly;
  }

  get canUnmap(): boolean {
    return (this.#store ?? this.#expected).canUnmap;
  }

  get refusedHoles(): number | undefined {
    return this.#store?.refusedHoles;
  }

  readNow(offset: number, into: Uint8Array): boolean {
    return this.#medium("readFailed").readNow(offset, into);
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    await this.#medium("readFailed").read(offset, into);
  }

  writeNow(offset: number, from: Uint8Array): boolean {
    return this.#medium("writeFailed").writeNow(offset, from);
  }

  async write(offset: number, from: Uint8Array): Promise<void> {
    await this.#medium("writeFailed").write(offset, from);
  }

  /** Does nothing without a medium, because nothing was written. */
  async flush(): Promise<void> {
    await this.#store?.flush();
  }

  async unmap(ranges: readonly ByteRange[]): Promise<void> {
    await this.#medium("writeFailed").unmap(ranges);
  }

  extentAt(offset: number): Extent {
    return this.#store?.extentAt(offset) ?? { isMapped: true, endBytes: this.sizeBytes };
  }

  close(): void {
    this.#store?.close();
  }

  #medium(kind: StoreErrorKind): BlockStore {
    if (this.#store === undefined) throw new StoreError(kind, "Cannot access the medium: it is not open");
    return this.#store;
  }
}
