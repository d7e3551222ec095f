import { RangeTree, type TreeRange } from "../base/range_tree.ts";
import { type BlockStore, StoreError } from "./block_store.ts";
import { type ByteRange, cutAtGranules, mergeRanges } from "./byte_range.ts";
import type { HolePuncher } from "./hole_puncher.ts";
import { PunchQueue } from "./punch_queue.ts";
import { type Extent, GRANULE_BYTES_MIN, SpaceMap } from "./space_map.ts";
import { StoreLayer } from "./store_layer.ts";
import { zeroFill } from "./zero_fill.ts";

/** Maximum number of attempts to punch holes, in ever smaller parts, before zeros are written instead. */
const ATTEMPTS_MAX = 4;

/** Parts that a refused request is divided into, to find the range that caused the refusal. */
const PARTS = 8;

/** Edges of one command that are zeroed at a time. */
const EDGES_AT_ONCE = 8;

/** The options of a `ThinStore`. */
export interface ThinStoreOptions {
  readonly puncher: HolePuncher;
  /** The store takes no space yet. */
  readonly isEmpty: boolean;
}

/** A write that the lower store has begun. */
interface Write extends TreeRange {
  readonly ended: Promise<void>;
}

/**
 * A store layer over a sparse file: unmapped ranges become holes of the file.
 *
 * A hole must never swallow a later write, not even one beside the requested range. So only whole granules are punched,
 * and the rest of a range is overwritten with zeros. A write and a hole that overlap are never under way together,
 * since it would be unknown which of them the file kept: the later one waits for the earlier. All other operations
 * continue, but off the event loop, because the kernel locks the file while it punches a hole.
 */
export class ThinStore extends StoreLayer {
  readonly #puncher: HolePuncher;
  #map: SpaceMap;
  readonly #holes = new PunchQueue((ranges) => this.#punch(ranges));
  readonly #writes = new RangeTree<Write>();
  #refusedHoles = 0;

  constructor(store: BlockStore, { puncher, isEmpty }: ThinStoreOptions) {
    super(store);
    this.#puncher = puncher;
    this.#map = new SpaceMap(store.sizeBytes, isEmpty);
  }

  override get canUnmap(): boolean {
    return true;
  }

  override get refusedHoles(): number {
    return this.#refusedHoles;
  }

  /** Adapts to the lower store, which has grown. The new bytes may take space. */
  adaptToGrowth(): void {
    this.#map = this.#map.resized(this.lower.sizeBytes);
  }

  override readNow(offset: number, into: Uint8Array): boolean {
    return !this.#holes.isBusy && this.lower.readNow(offset, into);
  }

  override writeNow(offset: number, from: Uint8Array): boolean {
    if (this.#holes.isBusy) return false;
    this.#map.markMapped(offset, from.length);
    return this.lower.writeNow(offset, from);
  }

  override async write(offset: number, from: Uint8Array): Promise<void> {
    for (let hole = this.#holes.endOfBatchWith(offset, from.length); hole !== undefined;) {
      await hole;
      hole = this.#holes.endOfBatchWith(offset, from.length);
    }
    // Nothing may be awaited from here until the write is in the set, because a hole could begin.
    this.#map.markMapped(offset, from.length);
    const endBytes = offset + from.length;
    const write = { startBytes: offset, endBytes, ended: this.lower.write(offset, from) };
    this.#writes.add(write);
    try {
      await write.ended;
    } finally {
      this.#writes.delete(write);
    }
  }

  override async unmap(ranges: readonly ByteRange[]): Promise<void> {
    if (this.readOnly) throw new StoreError("readOnly", "Cannot unmap: the store is open read-only");
    const parts = this.#mapped(mergeRanges(ranges)).map((range) => cutAtGranules(range, GRANULE_BYTES_MIN));
    const whole = parts.map((part) => part.whole).filter(({ lengthBytes }) => lengthBytes > 0);
    const edges = this.#mapped(parts.flatMap((part) => part.edges));
    const punched = whole.length === 0 ? undefined : this.#holes.add(whole);
    // Every part ends before a failure is reported, so nothing is under way after it.
    const results = await Promise.allSettled([punched, ...this.#zeroEdges(edges)]);
    for (const result of results) {
      if (result.status === "rejected") throw result.reason;
    }
  }

  override extentAt(offset: number): Extent {
    return this.#map.extentAt(offset);
  }

  /** Returns the ranges that may take space. */
  #mapped(ranges: readonly ByteRange[]): ByteRange[] {
    return ranges.filter(({ offset, lengthBytes }) => !this.#map.isUnmapped(offset, lengthBytes));
  }

  /** Zeroes the edges of ranges, some at a time. */
  #zeroEdges(edges: readonly ByteRange[]): Promise<void>[] {
    const left = edges.values();
    const lane = async (): Promise<void> => {
      for (const edge of left) await zeroFill(this, edge);
    };
    return Array.from({ length: Math.min(EDGES_AT_ONCE, edges.length) }, lane);
  }

  /** Unmaps ranges that no write touches until it has ended. */
  async #punch(ranges: readonly ByteRange[]): Promise<void> {
    const writes = this.#writesIn(ranges);
    if (writes.length > 0) await Promise.allSettled(writes.map(({ ended }) => ended));
    const refused = await this.#punchHoles(ranges);
    if (refused.length > 0) this.#refusedHoles++;
    for (const range of refused) await zeroFill(this.lower, range);
  }

  #writesIn(ranges: readonly ByteRange[]): Write[] {
    if (this.#writes.size === 0) return [];
    return ranges.flatMap(({ offset, lengthBytes }) =>
      this.#writes.overlapping({ startBytes: offset, endBytes: offset + lengthBytes })
    );
  }

  /**
   * Punches holes, and returns the ranges that are still mapped. One range of many may be the cause of a refusal, or a
   * temporary condition. So a refused request is repeated in smaller parts, unless several parts were refused and none
   * was accepted: then the file system does not support holes.
   */
  async #punchHoles(ranges: readonly ByteRange[]): Promise<readonly ByteRange[]> {
    let refused = [ranges];
    for (let attempt = 1; attempt <= ATTEMPTS_MAX && refused.length > 0; attempt++) {
      const parts = attempt === 1 ? refused : refused.flatMap(divide);
      refused = [];
      for (const part of parts) if (!await this.#punchAtOnce(part)) refused.push(part);
      if (parts.length > 1 && refused.length === parts.length) break;
    }
    return refused.flat();
  }

  /** Punches holes with one request; returns false when it was refused. */
  async #punchAtOnce(ranges: readonly ByteRange[]): Promise<boolean> {
    const result = await this.#puncher.punch(ranges);
    if (result === "abandoned") {
      throw new StoreError("writeFailed", "Cannot unmap: the server is stopping");
    }
    if (result === "refused") return false;
    // Usually there is nothing to write.
    if (result === "discarded") { for (const range of ranges) await zeroFill(this.lower, range); }
    for (const { offset, lengthBytes } of ranges) this.#map.markUnmapped(offset, lengthBytes);
    return true;
  }
}

function divide(ranges: readonly ByteRange[]): (readonly ByteRange[])[] {
  const partLength = Math.ceil(ranges.length / PARTS);
  const count = Math.ceil(ranges.length / partLength);
  return Array.from({ length: count }, (_, part) => ranges.slice(part * partLength, (part + 1) * partLength));
}
