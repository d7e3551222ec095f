import { type BlockStore, StoreError } from "../../lib/store/block_store.ts";

/** How to make a `MemoryStore`. */
export interface MemoryStoreOptions {
  readonly sizeBytes: number;
  readonly readOnly?: boolean;
}

const PAGE_BYTES = 4096;

/**
 * A block store in memory, which holds only the pages that were written and so can pose as a disk of any size.
 *
 * It counts what it is asked to do, and takes an access beyond its end for what it is: the caller's fault.
 */
export class MemoryStore implements BlockStore {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly #pages = new Map<number, Uint8Array>();
  #writeCount = 0;
  #flushCount = 0;
  #isClosed = false;

  constructor(options: MemoryStoreOptions) {
    this.sizeBytes = options.sizeBytes;
    this.readOnly = options.readOnly ?? false;
  }

  get writeCount(): number {
    return this.#writeCount;
  }

  get flushCount(): number {
    return this.#flushCount;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  readNow(offset: number, into: Uint8Array): boolean {
    this.#assertWithin(offset, into.length);
    this.#forEachPage(offset, into.length, (page, inPage, at, length) => {
      const bytes = this.#pages.get(page);
      if (bytes === undefined) into.fill(0, at, at + length);
      else into.set(bytes.subarray(inPage, inPage + length), at);
    });
    return true;
  }

  // deno-lint-ignore require-await
  async read(offset: number, into: Uint8Array): Promise<void> {
    this.readNow(offset, into);
  }

  writeNow(offset: number, from: Uint8Array): boolean {
    this.#assertWithin(offset, from.length);
    if (this.readOnly) throw new StoreError("readOnly", "Cannot write to a store that is read-only");
    this.#writeCount++;
    this.#forEachPage(offset, from.length, (page, inPage, at, length) => {
      const bytes = this.#pages.get(page) ?? new Uint8Array(PAGE_BYTES);
      bytes.set(from.subarray(at, at + length), inPage);
      this.#pages.set(page, bytes);
    });
    return true;
  }

  // deno-lint-ignore require-await
  async write(offset: number, from: Uint8Array): Promise<void> {
    this.writeNow(offset, from);
  }

  // deno-lint-ignore require-await
  async flush(): Promise<void> {
    if (this.#isClosed) throw new Error("Cannot flush a store that is closed");
    this.#flushCount++;
  }

  close(): void {
    this.#isClosed = true;
  }

  #assertWithin(offset: number, length: number): void {
    if (this.#isClosed) throw new Error("Cannot access a store that is closed");
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + length > this.sizeBytes) {
      throw new RangeError(
        `Cannot access ${length} bytes at ${offset} of a store of ${this.sizeBytes} bytes`,
      );
    }
  }

  /** Cuts a range at the borders of pages: which page, where in it, where in the range, and how much. */
  #forEachPage(
    offset: number,
    length: number,
    visit: (page: number, inPage: number, at: number, length: number) => void,
  ): void {
    for (let at = 0; at < length;) {
      const inPage = (offset + at) % PAGE_BYTES;
      const partLength = Math.min(PAGE_BYTES - inPage, length - at);
      visit(Math.floor((offset + at) / PAGE_BYTES), inPage, at, partLength);
      at += partLength;
    }
  }
}
