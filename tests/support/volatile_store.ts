import type { BlockStore, StoreError } from "../../lib/store/block_store.ts";
import { FlushQueue } from "../../lib/store/flush_queue.ts";
import { StoreLayer } from "../../lib/store/store_layer.ts";

/**
 * A store layer that loses at a loss of power what was not flushed. Its callers share flushes, as those of a file do.
 */
export class VolatileStore extends StoreLayer {
  #durable: Uint8Array = new Uint8Array(this.sizeBytes);
  readonly #flushes: FlushQueue;

  constructor(lower: BlockStore) {
    super(lower);
    this.#flushes = new FlushQueue({
      sync: async () => {
        const { content } = this;
        await lower.flush();
        this.#durable = content;
      },
      toError: (cause) => cause as StoreError,
    });
  }

  /** The content after a loss of power: that of the moment at which the last successful flush began. */
  get durable(): Uint8Array {
    return this.#durable;
  }

  /** The content that a read finds. */
  get content(): Uint8Array {
    const content = new Uint8Array(this.sizeBytes);
    this.lower.readNow(0, content);
    return content;
  }

  override flush(): Promise<void> {
    return this.#flushes.flush();
  }
}
