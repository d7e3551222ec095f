import { type BlockStore, StoreError } from "./block_store.ts";
import { type ByteRange, cutAtGranules, mergeRanges } from "./byte_range.ts";
import type { HolePuncher } from "./hole_puncher.ts";
import { PunchQueue } from "./punch_queue.ts";
import { type Extent, GRANULE_BYTES_MIN, SpaceMap } from "./space_map.ts";
import { writeZeros } from "./zero_fill.ts";

/** What a `ThinStore` adds to the store within. */
export interface ThinStoreOptions {
  readonly puncher: HolePuncher;
  /** Nothing of the store within takes space yet. */
  readonly isEmpty: boolean;
}

/**
 * A store on a sparse file: what is unmapped becomes a hole of the file.
 *
 * A hole must never swallow a later write, not even one beside the range that was asked for. So only whole granules are
 * punched, and what remains of a range is written with zeros; and while a hole is on its way, a write that touches it
 * waits. All else goes on, but off the event loop: the kernel locks the file while it makes a hole.
 */
export class ThinStore implements BlockStore {
  readonly canUnmap = true;
  readonly #store: BlockStore;
  readonly #puncher: HolePuncher;
  #map: SpaceMap;
  readonly #holes = new PunchQueue((ranges) => this.#punch(ranges));

  constructor(store: BlockStore, { puncher, isEmpty }: ThinStoreOptions) {
    this.#store = store;
    this.#puncher = puncher;
    this.#map = new SpaceMap(store.sizeBytes, isEmpty);
  }

  get sizeBytes(): number {
    return this.#store.sizeBytes;
  }

  get readOnly(): boolean {
    return this.#store.readOnly;
  }

  /** The store within has become larger. What it has gained may take space. */
  follow(): void {
    this.#map = this.#map.resized(this.#store.sizeBytes);
  }

  readNow(offset: number, into: Uint8Array): boolean {
    return !this.#holes.isBusy && this.#store.readNow(offset, into);
  }

  read(offset: number, into: Uint8Array): Promise<void> {
    return this.#store.read(offset, into);
  }

  writeNow(offset: number, from: Uint8Array): boolean {
    if (this.#holes.isBusy) return false;
    this.#map.markMapped(offset, from.length);
    return this.#store.writeNow(offset, from);
  }

  async write(offset: number, from: Uint8Array): Promise<void> {
    await this.#holes.settled(offset, from.length);
    this.#map.markMapped(offset, from.length);
    try {
      await this.#store.write(offset, from);
    } finally {
      // What was unmapped meanwhile may have been so before these bytes came: it is not known to be empty.
      this.#map.markMapped(offset, from.length);
    }
  }

  flush(): Promise<void> {
    return this.#store.flush();
  }

  async unmap(ranges: readonly ByteRange[]): Promise<void> {
    const wanted = mergeRanges(ranges).filter(({ offset, lengthBytes }) =>
      !this.#map.isUnmapped(offset, lengthBytes)
    );
    const parts = wanted.map((range) => cutAtGranules(range, GRANULE_BYTES_MIN));
    const whole = parts.map((part) => part.whole).filter(({ lengthBytes }) => lengthBytes > 0);
    const edges = parts.flatMap((part) => part.edges)
      .filter(({ offset, lengthBytes }) => !this.#map.isUnmapped(offset, lengthBytes));
    const punched = whole.length === 0 ? undefined : this.#holes.add(whole);
    const zeroed = edges.map((edge) => writeZeros((offset, from) => this.write(offset, from), edge));
    // All come to their end before any failure is told of, so that nothing is under way after it.
    const results = await Promise.allSettled([punched, ...zeroed]);
    for (const result of results) {
      if (result.status === "rejected") throw result.reason;
    }
  }

  extentAt(offset: number): Extent {
    return this.#map.extentAt(offset);
  }

  close(): void {
    this.#store.close();
  }

  async #punch(ranges: readonly ByteRange[]): Promise<void> {
    switch (await this.#puncher.punch(ranges)) {
      case "punched":
        for (const { offset, lengthBytes } of ranges) this.#map.markUnmapped(offset, lengthBytes);
        return;
      case "refused":
        for (const range of ranges) {
          await writeZeros((offset, from) => this.#store.write(offset, from), range);
        }
        return;
      case "abandoned":
        throw new StoreError("writeFailed", "Cannot unmap: the server is about to stop");
    }
  }
}
