import type { BlockStore } from "../../lib/store/block_store.ts";
import type { ByteRange } from "../../lib/store/byte_range.ts";
import type { Extent } from "../../lib/store/space_map.ts";

/** A store that keeps a list of what it is asked to do, and else does what the store within does. */
export class RecordingStore implements BlockStore {
  /** What was done, as `OPERATION OFFSET+LENGTH`, with the first byte that was written, the oldest first. */
  readonly diary: string[] = [];
  readonly #inner: BlockStore;

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

  readNow(offset: number, into: Uint8Array): boolean {
    return this.#note("read", offset, into.length, this.#inner.readNow(offset, into));
  }

  read(offset: number, into: Uint8Array): Promise<void> {
    return this.#note("read", offset, into.length, this.#inner.read(offset, into));
  }

  writeNow(offset: number, from: Uint8Array): boolean {
    return this.#note(`write of ${from[0]}`, offset, from.length, this.#inner.writeNow(offset, from));
  }

  write(offset: number, from: Uint8Array): Promise<void> {
    return this.#note(`write of ${from[0]}`, offset, from.length, this.#inner.write(offset, from));
  }

  flush(): Promise<void> {
    return this.#note("flush", 0, 0, this.#inner.flush());
  }

  unmap(ranges: readonly ByteRange[]): Promise<void> {
    for (const { offset, lengthBytes } of ranges) this.#note("unmap", offset, lengthBytes, undefined);
    return this.#inner.unmap(ranges);
  }

  extentAt(offset: number): Extent {
    return this.#inner.extentAt(offset);
  }

  close(): void {
    this.#inner.close();
  }

  #note<T>(operation: string, offset: number, lengthBytes: number, result: T): T {
    this.diary.push(`${operation} ${offset}+${lengthBytes}`);
    return result;
  }
}
