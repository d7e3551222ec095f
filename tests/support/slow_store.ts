import type { BlockStore } from "../../lib/store/block_store.ts";
import type { ByteRange } from "../../lib/store/byte_range.ts";
import { StoreLayer } from "../../lib/store/store_layer.ts";
import { nextTurn } from "./until.ts";

/** An operation of a `SlowStore` that has not begun. */
export interface PendingWork {
  readonly operation: "read" | "write" | "flush" | "unmap";
  readonly offset: number;
  readonly lengthBytes: number;
}

/** The options of a `SlowStore`. */
export interface SlowStoreOptions {
  /** Delay of each operation; by default an operation waits for `release`. */
  readonly delayMs?: number;
}

interface Waiting extends PendingWork {
  readonly begin: () => void;
}

/**
 * A store layer that does nothing at once. An operation reaches the lower store when the test releases it, so the test
 * sees what is under way and decides the order.
 */
export class SlowStore extends StoreLayer {
  readonly #delayMs: number | undefined;
  readonly #waiting: Waiting[] = [];

  constructor(inner: BlockStore, options: SlowStoreOptions = {}) {
    super(inner);
    this.#delayMs = options.delayMs;
  }

  /** The operations that wait for release, oldest first. */
  get pending(): readonly PendingWork[] {
    return this.#waiting.map(({ operation, offset, lengthBytes }) => ({ operation, offset, lengthBytes }));
  }

  /**
   * Releases the operation at this index of `pending`.
   *
   * @throws {RangeError} when there is none
   */
  release(index = 0): void {
    const [waiting] = this.#waiting.splice(index, 1);
    if (waiting === undefined) throw new RangeError(`Cannot release work ${index}: nothing waits there`);
    waiting.begin();
  }

  /** Releases all operations that wait now. */
  releaseAll(): void {
    for (const waiting of this.#waiting.splice(0)) waiting.begin();
  }

  override readNow(): boolean {
    return false;
  }

  override async read(offset: number, into: Uint8Array): Promise<void> {
    await this.#wait("read", offset, into.length);
    await this.lower.read(offset, into);
  }

  override writeNow(): boolean {
    return false;
  }

  override async write(offset: number, from: Uint8Array): Promise<void> {
    await this.#wait("write", offset, from.length);
    await this.lower.write(offset, from);
  }

  override async flush(): Promise<void> {
    await this.#wait("flush", 0, 0);
    await this.lower.flush();
  }

  override async unmap(ranges: readonly ByteRange[]): Promise<void> {
    for (const { offset, lengthBytes } of ranges) await this.#wait("unmap", offset, lengthBytes);
    await this.lower.unmap(ranges);
  }

  #wait(operation: PendingWork["operation"], offset: number, lengthBytes: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#delayMs === undefined) this.#waiting.push({ operation, offset, lengthBytes, begin: resolve });
    else if (this.#delayMs === 0) nextTurn().then(resolve);
    else setTimeout(resolve, this.#delayMs);
    return promise;
  }
}
