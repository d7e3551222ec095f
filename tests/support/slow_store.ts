import type { BlockStore } from "../../lib/store/block_store.ts";
import type { ByteRange } from "../../lib/store/byte_range.ts";
import type { Extent } from "../../lib/store/space_map.ts";

/** Something that a `SlowStore` was asked to do and has not begun. */
export interface PendingWork {
  readonly operation: "read" | "write" | "flush" | "unmap";
  readonly offset: number;
  readonly lengthBytes: number;
}

/** How slow a `SlowStore` is. */
export interface SlowStoreOptions {
  /** Each piece of work is done this long after it was asked for; by default it waits until it is told to. */
  readonly delayMs?: number;
}

interface Waiting extends PendingWork {
  readonly begin: () => void;
}

/**
 * A store that never does anything at once. The store within is not touched until the work is released, so that a
 * test can see what is under way, and in which order it ends.
 */
export class SlowStore implements BlockStore {
  readonly #inner: BlockStore;
  readonly #delayMs: number | undefined;
  readonly #waiting: Waiting[] = [];

  constructor(inner: BlockStore, options: SlowStoreOptions = {}) {
    this.#inner = inner;
    this.#delayMs = options.delayMs;
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

  /** What waits to be released, oldest first. */
  get pending(): readonly PendingWork[] {
    return this.#waiting.map(({ operation, offset, lengthBytes }) => ({ operation, offset, lengthBytes }));
  }

  /**
   * Lets the work at this place of `pending` be done.
   *
   * @throws {RangeError} when there is none
   */
  release(index = 0): void {
    const [waiting] = this.#waiting.splice(index, 1);
    if (waiting === undefined) throw new RangeError(`Cannot release work ${index}: nothing waits there`);
    waiting.begin();
  }

  /** Lets all that waits now be done. */
  releaseAll(): void {
    for (const waiting of this.#waiting.splice(0)) waiting.begin();
  }

  readNow(): boolean {
    return false;
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    await this.#wait("read", offset, into.length);
    await this.#inner.read(offset, into);
  }

  writeNow(): boolean {
    return false;
  }

  async write(offset: number, from: Uint8Array): Promise<void> {
    await this.#wait("write", offset, from.length);
    await this.#inner.write(offset, from);
  }

  async flush(): Promise<void> {
    await this.#wait("flush", 0, 0);
    await this.#inner.flush();
  }

  async unmap(ranges: readonly ByteRange[]): Promise<void> {
    for (const { offset, lengthBytes } of ranges) await this.#wait("unmap", offset, lengthBytes);
    await this.#inner.unmap(ranges);
  }

  extentAt(offset: number): Extent {
    return this.#inner.extentAt(offset);
  }

  close(): void {
    this.#inner.close();
  }

  #wait(operation: PendingWork["operation"], offset: number, lengthBytes: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#delayMs === undefined) this.#waiting.push({ operation, offset, lengthBytes, begin: resolve });
    else setTimeout(resolve, this.#delayMs);
    return promise;
  }
}
