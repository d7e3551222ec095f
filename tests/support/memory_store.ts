import { type BlockStore, StoreError } from "../../lib/store/block_store.ts";
import type { ByteRange } from "../../lib/store/byte_range.ts";
import type { Extent } from "../../lib/store/space_map.ts";

/** The options of a `MemoryStore`. */
export interface MemoryStoreOptions {
  readonly sizeBytes: number;
  readonly readOnly?: boolean;
  /** Pages that are unmapped are given back: false by default. */
  readonly canUnmap?: boolean;
}

const PAGE_BYTES = 4096;

/**
 * A block store in memory, which holds only the pages that were written and so can pose as a disk of any size.
 *
 * It counts what it is asked to do, and takes an access beyond its end for what it is: the caller's fault.
 */
export class MemoryStore implements BlockStore {
  /** A test may raise it. */
  sizeBytes: number;
  readonly readOnly: boolean;
  readonly canUnmap: boolean;
  readonly #pages = new Map<number, Uint8Array>();
  #writeCount = 0;
  #flushCount = 0;
  #isClosed = false;

  constructor(options: MemoryStoreOptions) {
    this.sizeBytes = options.sizeBytes;
    this.readOnly = options.readOnly ?? false;
    this.canUnmap = options.canUnmap ?? false;
  }

  get writeCount(): number {
    return this.#writeCount;
  }

  get flushCount(): number {
    return this.#flushCount;
  }

  /** Number of allocated pages. */
  get pageCount(): number {
    return this.#pages.size;
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

  // deno-lint-ignore require-await
  async unmap(ranges: readonly ByteRange[]): Promise<void> {
    if (this.readOnly) throw new StoreError("readOnly", "Cannot unmap in a store that is read-only");
    let hasChanged = false;
    for (const { offset, lengthBytes } of ranges) {
      this.#assertWithin(offset, lengthBytes);
      if (this.#unmap(offset, lengthBytes)) hasChanged = true;
    }
    if (hasChanged) this.#writeCount++;
  }

  extentAt(offset: number): Extent {
    const pageEnd = (at: number): number =>
      Math.min((Math.floor(at / PAGE_BYTES) + 1) * PAGE_BYTES, this.sizeBytes);
    const isMapped = this.#isMapped(offset);
    let endBytes = pageEnd(offset);
    while (endBytes < this.sizeBytes && this.#isMapped(endBytes) === isMapped) endBytes = pageEnd(endBytes);
    return { isMapped, endBytes };
  }

  close(): void {
    this.#isClosed = true;
  }

  #isMapped(offset: number): boolean {
    return !this.canUnmap || this.#pages.has(Math.floor(offset / PAGE_BYTES));
  }

  /** Returns whether that changes anything. */
  #unmap(offset: number, lengthBytes: number): boolean {
    const end = offset + lengthBytes;
    let hasChanged = false;
    // Iterates over the allocated pages, which are few, and not over all pages.
    for (const [page, bytes] of this.#pages) {
      const start = page * PAGE_BYTES;
      if (start >= end || start + PAGE_BYTES <= offset) continue;
      const isWhole = start >= offset && Math.min(start + PAGE_BYTES, this.sizeBytes) <= end;
      const part = bytes.subarray(Math.max(offset - start, 0), end - start);
      if (isWhole && this.canUnmap) hasChanged = this.#pages.delete(page);
      else if (part.some((byte) => byte !== 0)) {
        part.fill(0);
        hasChanged = true;
      }
    }
    return hasChanged;
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
