import { StoreError, type StoreErrorKind } from "../../lib/store/block_store.ts";
import type { ByteRange } from "../../lib/store/byte_range.ts";
import { StoreLayer } from "../../lib/store/store_layer.ts";

/** A fault to inject. */
export interface Fault {
  readonly operation: "read" | "write" | "flush" | "unmap";
  readonly kind: StoreErrorKind;
  /** Reads, writes and unmappings that touch a byte from here ... (0 by default) */
  readonly startBytes?: number;
  /** ... and before here (the end of the store by default). */
  readonly endBytes?: number;
}

/** A store layer that fails as the test requests. */
export class FaultyStore extends StoreLayer {
  #faults: Fault[] = [];

  /** Adds a fault, which stays until `heal`. */
  inject(fault: Fault): void {
    this.#faults.push(fault);
  }

  heal(): void {
    this.#faults = [];
  }

  override readNow(offset: number, into: Uint8Array): boolean {
    this.#fail("read", offset, into.length);
    return this.lower.readNow(offset, into);
  }

  override async read(offset: number, into: Uint8Array): Promise<void> {
    this.#fail("read", offset, into.length);
    await this.lower.read(offset, into);
  }

  override writeNow(offset: number, from: Uint8Array): boolean {
    this.#fail("write", offset, from.length);
    return this.lower.writeNow(offset, from);
  }

  override async write(offset: number, from: Uint8Array): Promise<void> {
    this.#fail("write", offset, from.length);
    await this.lower.write(offset, from);
  }

  override async flush(): Promise<void> {
    this.#fail("flush", 0, this.sizeBytes);
    await this.lower.flush();
  }

  override async unmap(ranges: readonly ByteRange[]): Promise<void> {
    for (const { offset, lengthBytes } of ranges) this.#fail("unmap", offset, lengthBytes);
    await this.lower.unmap(ranges);
  }

  #fail(operation: Fault["operation"], offset: number, length: number): void {
    const fault = this.#faults.find(({ startBytes = 0, endBytes = Infinity, ...candidate }) =>
      candidate.operation === operation && offset < endBytes && offset + length > startBytes
    );
    if (fault !== undefined) throw new StoreError(fault.kind, `Cannot ${operation}: told to fail`);
  }
}
