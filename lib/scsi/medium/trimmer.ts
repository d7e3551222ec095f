import { zeroRuns } from "../../bytes/zero_runs.ts";
import type { BlockStore } from "../../store/block_store.ts";
import { type ByteRange, mergeRanges } from "../../store/byte_range.ts";
import { GRANULE_BYTES_MIN } from "../../store/space_map.ts";
import { CancelledError } from "../outcome/cancellation.ts";
import type { RangeHold, RangeLocks } from "./range_locks.ts";

/** The progress of a trim. */
export interface TrimFigures {
  readonly sizeBytes: number;
  /** The bytes up to here have been examined, or take no space. */
  readonly examinedBytes: number;
  /** The bytes that were zero and whose space was given back. */
  readonly releasedBytes: number;
  /** Zero bytes that were left, because initiators were using their blocks. */
  readonly busyBytes: number;
}

/** The limits of a trim, and what is known about the medium. */
export interface TrimOptions {
  /** Ranges outside which the medium takes no space, as `mergeRanges` returns them; undefined when that is unknown. */
  readonly extents?: readonly ByteRange[] | undefined;
  /** Waits as long as the rate requires after this many bytes were read, at most until the signal is aborted. */
  readonly pace: (bytes: number, signal: AbortSignal) => Promise<void>;
  /** Performs the release of held ranges, and may wait afterwards, at most until the signal is aborted. */
  readonly release?: (work: () => Promise<void>, signal: AbortSignal) => Promise<void>;
  /** Sets a timer; returns a function that cancels it. */
  readonly after: (delayMs: number, callback: () => void) => () => void;
}

/** Bytes that are read and examined at a time: half a millisecond of the event loop when all of them are zero. */
const PIECE_BYTES = 1024 * 1024;

/** The longest range that is given back at once: it is read again under a hold, in 30 ms at most. */
const WINDOW_BYTES = 32 * PIECE_BYTES;

/**
 * The most ranges that are given back under one hold, each of which takes a millisecond, and the most bytes from the
 * first to the last: commands wait for those between them, too.
 */
const RANGES_PER_HOLD = 8;
const SPAN_BYTES = 4 * PIECE_BYTES;

/**
 * Milliseconds that a trim waits for blocks that are in use. Commands that begin meanwhile wait behind it, so it gives
 * up early: blocks in use rarely stay zero.
 */
const HOLD_WAIT_MS = 20;

/**
 * Finds the blocks of a medium that hold only zeros, and gives their space back, while initiators use it.
 *
 * Nothing is read under a lock until zeros were found. Then the ranges are held exclusively and read again, so no write
 * is lost: one that came first is seen, and a later one waits until the space is given back.
 */
export class Trimmer {
  readonly #store: BlockStore;
  readonly #ranges: RangeLocks;
  #run: { readonly controller: AbortController; readonly ended: Promise<void> } | undefined;
  #figures: TrimFigures = { sizeBytes: 0, examinedBytes: 0, releasedBytes: 0, busyBytes: 0 };

  /** @param ranges the range locks of the medium */
  constructor(store: BlockStore, ranges: RangeLocks) {
    this.#store = store;
    this.#ranges = ranges;
  }

  /** The progress of the running trim; undefined when none runs. */
  get figures(): TrimFigures | undefined {
    return this.#run === undefined ? undefined : this.#figures;
  }

  /**
   * Trims the whole medium; no other trim may be running.
   *
   * @throws {StoreError} (rejects) when the medium fails
   * @throws {CancelledError} (rejects) when it is cancelled before the end
   */
  async trim(options: TrimOptions): Promise<TrimFigures> {
    const controller = new AbortController();
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    this.#run = { controller, ended };
    this.#figures = { sizeBytes: this.#store.sizeBytes, examinedBytes: 0, releasedBytes: 0, busyBytes: 0 };
    try {
      for (const window of this.#windows(options.extents)) {
        const zeros = await this.#findZeros(window, options.pace, controller.signal);
        for (const group of groupsOf(zeros)) {
          throwIfAborted(controller.signal);
          await this.#release(group, options, controller.signal);
        }
      }
      this.#note({ examinedBytes: this.#figures.sizeBytes });
      return this.#figures;
    } finally {
      this.#run = undefined;
      end();
    }
  }

  /** Cancels the running trim. Resolves when it has ended. */
  async cancel(): Promise<void> {
    this.#run?.controller.abort();
    await this.#run?.ended;
  }

  #note(figures: Partial<TrimFigures>): void {
    this.#figures = { ...this.#figures, ...figures };
  }

  /** Divides the whole granules that may take space into windows, in ascending order. */
  *#windows(extents: TrimOptions["extents"]): Generator<ByteRange> {
    const { sizeBytes } = this.#figures;
    for (const extent of extents ?? [{ offset: 0, lengthBytes: sizeBytes }]) {
      const end = Math.min(ceilToGranule(extent.offset + extent.lengthBytes), floorToGranule(sizeBytes));
      for (let offset = floorToGranule(extent.offset); offset < end;) {
        const { isMapped, endBytes } = this.#store.extentAt(offset);
        const windowEnd = Math.min(endBytes, end, isMapped ? offset + WINDOW_BYTES : Infinity);
        if (isMapped) yield { offset, lengthBytes: windowEnd - offset };
        offset = windowEnd;
      }
    }
  }

  /** Returns the ranges of a window that hold only zeros. */
  async #findZeros(
    { offset, lengthBytes }: ByteRange,
    pace?: TrimOptions["pace"],
    signal?: AbortSignal,
  ): Promise<ByteRange[]> {
    const piece = new Uint8Array(Math.min(PIECE_BYTES, lengthBytes));
    const found: ByteRange[] = [];
    for (let done = 0; done < lengthBytes; done += PIECE_BYTES) {
      if (signal !== undefined) throwIfAborted(signal);
      const bytes = piece.subarray(0, Math.min(PIECE_BYTES, lengthBytes - done));
      await this.#store.read(offset + done, bytes);
      for (const { start, end, isZero } of zeroRuns(bytes)) {
        if (isZero) found.push({ offset: offset + done + start, lengthBytes: end - start });
      }
      if (signal === undefined) continue;
      this.#note({ examinedBytes: offset + done + bytes.length });
      await pace?.(bytes.length, signal);
    }
    return mergeRanges(found);
  }

  /** Holds ranges, and gives their space back where they still hold only zeros. */
  async #release(
    group: readonly ByteRange[],
    { after, release = (work) => work() }: TrimOptions,
    signal: AbortSignal,
  ): Promise<void> {
    const hold = await this.#hold(group, after);
    if (hold === undefined) {
      this.#note({ busyBytes: this.#figures.busyBytes + lengthOf(group) });
      return;
    }
    await release(async () => {
      try {
        await this.#releaseZeros(group);
      } finally {
        this.#ranges.release(hold);
      }
    }, signal);
  }

  /** Gives the space of held ranges back where they still hold only zeros. */
  async #releaseZeros(group: readonly ByteRange[]): Promise<void> {
    const zeros: ByteRange[] = [];
    for (const range of group) zeros.push(...await this.#findZeros(range));
    if (zeros.length === 0) return;
    const { refusedHoles } = this.#store;
    await this.#store.unmap(zeros);
    // The blocks kept their space, or part of it.
    if (this.#store.refusedHoles !== refusedHoles) return;
    this.#note({ releasedBytes: this.#figures.releasedBytes + lengthOf(zeros) });
  }

  /** Holds the bytes from the first to the last range; returns undefined when others do not release them soon. */
  async #hold(group: readonly ByteRange[], after: TrimOptions["after"]): Promise<RangeHold | undefined> {
    const [first, last] = [group[0]!, group.at(-1)!];
    const request = this.#ranges.lock(first.offset, last.offset + last.lengthBytes - first.offset);
    const cancelTimer = after(HOLD_WAIT_MS, () => request.cancel());
    const hold = await request.hold;
    cancelTimer();
    return hold;
  }
}

/** @throws {CancelledError} */
function throwIfAborted({ aborted }: AbortSignal): void {
  if (aborted) throw new CancelledError("Cancelled");
}

/** Divides ranges in ascending order into groups that are given back under one hold. */
function groupsOf(ranges: readonly ByteRange[]): ByteRange[][] {
  const groups: ByteRange[][] = [];
  for (const range of ranges) {
    const last = groups.at(-1);
    const spanBytes = range.offset + range.lengthBytes - (last?.[0]?.offset ?? 0);
    if (last !== undefined && last.length < RANGES_PER_HOLD && spanBytes <= SPAN_BYTES) last.push(range);
    else groups.push([range]);
  }
  return groups;
}

function lengthOf(ranges: readonly ByteRange[]): number {
  return ranges.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
}

function floorToGranule(bytes: number): number {
  return Math.floor(bytes / GRANULE_BYTES_MIN) * GRANULE_BYTES_MIN;
}

function ceilToGranule(bytes: number): number {
  return Math.ceil(bytes / GRANULE_BYTES_MIN) * GRANULE_BYTES_MIN;
}
