import { type BlockStore, StoreError, type StoreErrorKind } from "../../lib/store/block_store.ts";
import type { ByteRange } from "../../lib/store/byte_range.ts";
import type { Extent } from "../../lib/store/space_map.ts";

/** What shall fail, and how. */
export interface Fault {
  readonly operation: "read" | "write" | "flush" | "unmap";
  readonly kind: StoreErrorKind;
  /** Reads, writes and unmappings that touch a byte from here ... (0 by default) */
  readonly startBytes?: number;
  /** ... and before here (the end of the store by default). */
  readonly endBytes?: number;
}

/** A store that fails where it is told to, and else does what the store within does. */
export class FaultyStore implements BlockStore {
  readonly #inner: BlockStore;
  #faults: Fault[] = [];

  constructor(inner: BlockStore) {
    this.#inner = inner;
  }

  get sizeBytes(): number {
    return this.#inner.sizeBytes;
  }

  get readOnly(): boolean {
    return this.#inner.readOnly;
  }

  get canUnmap(): boolean {
    return this.#inner.canUnmap;
  }

  /** Adds a fault, which stays until `heal`. */
  inject(fault: Fault): void {
    this.#faults.push(fault);
  }

  heal(): void {
    this.#faults = [];
  }

  readNow(offset: number, into: Uint8Array): boolean {
    this.#fail("read", offset, into.length);
    return this.#inner.readNow(offset, into);
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    this.#fail("read", offset, into.length);
    await this.#inner.read(offset, into);
  }

  writeNow(offset: number, from: Uint8Array): boolean {
    this.#fail("write", offset, from.length);
    return this.#inner.writeNow(offset, from);
  }

  async write(offset: number, from: Uint8Array): Promise<void> {
    this.#fail("write", offset, from.length);
    await this.#inner.write(offset, from);
  }

  async flush(): Promise<void> {
    this.#fail("flush", 0, this.sizeBytes);
    await this.#inner.flush();
  }

  async unmap(ranges: readonly ByteRange[]): Promise<void> {
    for (const { offset, lengthBytes } of ranges) this.#fail("unmap", offset, lengthBytes);
    await this.#inner.unmap(ranges);
  }

  extentAt(offset: number): Extent {
    return this.#inner.extentAt(offset);
  }

  close(): void {
    this.#inner.close();
  }

  #fail(operation: Fault["operation"], offset: number, length: number): void {
    const fault = this.#faults.find(({ startBytes = 0, endBytes = Infinity, ...candidate }) =>
      candidate.operation === operation && offset < endBytes && offset + length > startBytes
    );
    if (fault !== undefined) throw new StoreError(fault.kind, `Cannot ${operation}: told to fail`);
  }
}
