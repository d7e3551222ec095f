/**
 * A store layer that preserves the content of a store as it was when the layer was made, for a copy of that moment.
 *
 * The store is divided into chunks, and a chunk is preserved when it is first changed: its old bytes are read and then
 * kept in another store, at the same offset. A map with a byte for each chunk is shared with the copier, which is
 * usually another process. The copier reads a chunk from the store and then its byte of the map. The byte is set before
 * the store is changed, so an unset byte means that what was read is the old content.
 *
 * A change waits until the old bytes of its own chunks are in memory, and never for the store that keeps them. The
 * bytes in memory are limited. A change that waits too long for room, or for its old bytes, ends the preservation, and
 * so does every failure: the copy fails, and the store is used as if there were no copy.
 */
import { errorMessage } from "../base/error_message.ts";
import { LinkedQueue } from "../base/linked_queue.ts";
import { isZero } from "../bytes/zero_runs.ts";
import type { BlockStore } from "./block_store.ts";
import { type ByteRange, mergeRanges } from "./byte_range.ts";
import { StoreLayer } from "./store_layer.ts";

/** Bytes of a chunk of a store of up to 4 TiB. Larger stores have larger chunks. */
export const CHUNK_BYTES_MIN = 64 * 1024;

/** Maximum number of chunks, and so of bytes of the map, which is also in memory. */
const CHUNKS_MAX = 2 ** 26;

/** The states of a chunk in the map. */
export const ChunkState = {
  /** The store has the old bytes. */
  unchanged: 0,
  /** The store may change; the old bytes are about to be kept. */
  changed: 1,
  /** The old bytes are kept. */
  kept: 2,
  /** The copier needs the old bytes no longer. Only the copier sets it. */
  copied: 3,
} as const;

/** The limits of a preservation. */
export const PreservationLimits = {
  /** Old bytes in memory that are not kept yet. */
  bufferedBytes: 64 * 1024 * 1024,
  /** Milliseconds that a change waits. Initiators give up a command after 30 s or more. */
  waitMs: 5_000,
} as const;

/** Chunks of one command whose old bytes are read at the same time. */
const CHUNKS_AT_ONCE = 16;

const NO_SPACE = "old blocks of the disk take more space than is left for them";

/** The other stores and the collaborators of a preservation. */
export interface PreservationOptions {
  /** Keeps the old bytes. It reads as zeros before. */
  readonly keep: BlockStore;
  /** The map: a byte for each chunk. */
  readonly map: BlockStore;
  /** Calls back after a delay; returns a function that cancels it. */
  readonly after: (delayMs: number, callback: () => void) => () => void;
  /** Called when the preservation fails, with the reason as a clause. */
  readonly onFailed: (reason: string) => void;
  /** The most bytes that are kept: the space that the copy may take. */
  readonly keptBytesMax?: number;
  readonly limits?: Readonly<Record<keyof typeof PreservationLimits, number>>;
}

/** A chunk that waits for room in memory. */
interface RoomRequest {
  readonly bytes: number;
  readonly proceed: () => void;
}

/** Returns the bytes of a chunk of a store. */
export function chunkBytesOf(sizeBytes: number): number {
  let chunkBytes = CHUNK_BYTES_MIN;
  while (sizeBytes / chunkBytes > CHUNKS_MAX) chunkBytes *= 2;
  return chunkBytes;
}

/** Returns the number of chunks of a store. */
export function chunksOf(sizeBytes: number): number {
  return Math.ceil(sizeBytes / chunkBytesOf(sizeBytes));
}

/** A store whose old content is preserved until `finish`. */
export class CopyBeforeWrite extends StoreLayer {
  readonly #options: PreservationOptions;
  readonly #limits: Readonly<Record<keyof typeof PreservationLimits, number>>;
  /** The size of the preserved content. The store may grow. */
  readonly #preservedBytes: number;
  readonly #chunkBytes: number;
  /** A byte for each chunk: 1 when the store may change it. */
  readonly #isFree: Uint8Array;
  /** Chunks whose old bytes are being read. */
  readonly #saving = new Map<number, Promise<void>>();
  /** The promises of old bytes that are being kept. */
  readonly #keeping = new Set<Promise<void>>();
  #bufferedBytes = 0;
  #keptBytes = 0;
  /** The chunks that wait for room in memory, the oldest first. */
  readonly #awaitingRoom = new LinkedQueue<RoomRequest>();
  /**
   * Resolve the promises of those that wait for old bytes until the preservation ends. A promise of the end would keep
   * a reaction for each of them until then.
   */
  readonly #waiting = new Set<() => void>();
  #hasEnded = false;
  #failure: string | undefined;

  constructor(store: BlockStore, options: PreservationOptions) {
    super(store);
    this.#options = options;
    this.#limits = options.limits ?? PreservationLimits;
    this.#preservedBytes = store.sizeBytes;
    this.#chunkBytes = chunkBytesOf(store.sizeBytes);
    this.#isFree = new Uint8Array(chunksOf(store.sizeBytes));
  }

  /** The reason for which the content is no longer preserved, as a clause; undefined when it was preserved. */
  get failure(): string | undefined {
    return this.#failure;
  }

  override writeNow(offset: number, from: Uint8Array): boolean {
    return this.#mayChange(offset, from.length) && this.lower.writeNow(offset, from);
  }

  override async write(offset: number, from: Uint8Array): Promise<void> {
    if (!this.#mayChange(offset, from.length)) await this.#preserve([{ offset, lengthBytes: from.length }]);
    await this.lower.write(offset, from);
  }

  override async unmap(ranges: readonly ByteRange[]): Promise<void> {
    const changed = mergeRanges(ranges).flatMap((range) => this.#mappedParts(range));
    if (changed.some(({ offset, lengthBytes }) => !this.#mayChange(offset, lengthBytes))) {
      await this.#preserve(changed);
    }
    await this.lower.unmap(ranges);
  }

  /**
   * Ends the preservation, and waits until all old bytes are kept.
   *
   * @returns undefined when all content was preserved, else the reason for the failure as a clause
   */
  async finish(): Promise<string | undefined> {
    await this.#orUntilEnd(Promise.all(this.#saving.values()));
    this.#end();
    await Promise.all(this.#keeping);
    return this.#failure;
  }

  /** Ends the preservation with a failure, unless it has ended. Changes that wait go on. */
  fail(reason: string): void {
    if (this.#failure !== undefined || this.#hasEnded && this.#keeping.size === 0) return;
    this.#failure = reason;
    this.#end();
    this.#options.onFailed(reason);
  }

  #end(): void {
    this.#hasEnded = true;
    this.#grantRoom();
    for (const proceed of this.#waiting) proceed();
  }

  /** Resolves with a promise that never rejects, or when the preservation ends. */
  async #orUntilEnd(work: Promise<unknown>): Promise<void> {
    if (this.#hasEnded) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    work.then(() => resolve());
    await promise;
    this.#waiting.delete(resolve);
  }

  #mayChange(offset: number, lengthBytes: number): boolean {
    if (this.#hasEnded) return true;
    const last = Math.floor((offset + lengthBytes - 1) / this.#chunkBytes);
    for (let chunk = Math.floor(offset / this.#chunkBytes); chunk <= last; chunk++) {
      // Chunks beyond the preserved content are undefined.
      if (this.#isFree[chunk] === 0) return false;
    }
    return true;
  }

  /** Returns the parts of a range that may not be zero. Making zeros of zeros changes nothing. */
  #mappedParts({ offset, lengthBytes }: ByteRange): ByteRange[] {
    const parts: ByteRange[] = [];
    const end = offset + lengthBytes;
    for (let at = offset; at < end;) {
      const { isMapped, endBytes } = this.lower.extentAt(at);
      const partEnd = Math.min(endBytes, end);
      if (isMapped) parts.push({ offset: at, lengthBytes: partEnd - at });
      at = partEnd;
    }
    return parts;
  }

  /** Resolves when the chunks of ranges may change. After a limit the preservation fails, and they may. */
  async #preserve(ranges: readonly ByteRange[]): Promise<void> {
    const { waitMs } = this.#limits;
    const cancel = this.#options.after(
      waitMs,
      () => this.fail(`a change of the disk has waited ${waitMs / 1000} s for its old blocks to be saved`),
    );
    await this.#orUntilEnd(this.#saveAll(ranges));
    cancel();
  }

  async #saveAll(ranges: readonly ByteRange[]): Promise<void> {
    for (const { offset, lengthBytes } of ranges) {
      const end = Math.ceil((offset + lengthBytes) / this.#chunkBytes);
      for (let chunk = Math.floor(offset / this.#chunkBytes); chunk < end && !this.#hasEnded;) {
        const saves: Promise<void>[] = [];
        for (; chunk < end && saves.length < CHUNKS_AT_ONCE; chunk++) {
          if (this.#isFree[chunk] === 0) saves.push(this.#save(chunk));
        }
        await Promise.all(saves);
      }
    }
  }

  #save(chunk: number): Promise<void> {
    const known = this.#saving.get(chunk);
    if (known !== undefined) return known;
    const saved = this.#saveNew(chunk)
      .catch((error) => this.fail(errorMessage(error)))
      .finally(() => this.#saving.delete(chunk));
    this.#saving.set(chunk, saved);
    return saved;
  }

  async #saveNew(chunk: number): Promise<void> {
    const range = this.#rangeOf(chunk);
    if (await this.#isCopied(chunk)) return this.#release(chunk);
    if (this.#isHole(range)) return await this.#releaseAs(chunk, ChunkState.kept);
    await this.#takeRoom(range.lengthBytes);
    let isKept = false;
    try {
      isKept = await this.#readAndKeep(chunk, range);
    } finally {
      if (!isKept) this.#giveRoom(range.lengthBytes);
    }
  }

  /** Reads the old bytes, lets the chunk change, and begins to keep them; returns false when there are none to keep. */
  async #readAndKeep(chunk: number, { offset, lengthBytes }: ByteRange): Promise<boolean> {
    if (this.#hasEnded) return false;
    const old = new Uint8Array(lengthBytes);
    await this.lower.read(offset, old);
    if (isZero(old)) {
      await this.#releaseAs(chunk, ChunkState.kept);
      return false;
    }
    this.#keptBytes += lengthBytes;
    if (this.#keptBytes > (this.#options.keptBytesMax ?? Infinity)) throw new Error(NO_SPACE);
    await this.#releaseAs(chunk, ChunkState.changed);
    const keeping = this.#keep(chunk, offset, old);
    this.#keeping.add(keeping);
    keeping.then(() => this.#keeping.delete(keeping));
    return true;
  }

  /** Keeps old bytes, and gives back their room in memory. */
  async #keep(chunk: number, offset: number, old: Uint8Array): Promise<void> {
    try {
      await this.#options.keep.write(offset, old);
      await this.#mark(chunk, ChunkState.kept);
    } catch (error) {
      this.fail(errorMessage(error));
    } finally {
      this.#giveRoom(old.length);
    }
  }

  #rangeOf(chunk: number): ByteRange {
    const offset = chunk * this.#chunkBytes;
    return { offset, lengthBytes: Math.min(this.#chunkBytes, this.#preservedBytes - offset) };
  }

  #isHole({ offset, lengthBytes }: ByteRange): boolean {
    const { isMapped, endBytes } = this.lower.extentAt(offset);
    return !isMapped && endBytes >= offset + lengthBytes;
  }

  async #isCopied(chunk: number): Promise<boolean> {
    const state = new Uint8Array(1);
    await this.#options.map.read(chunk, state);
    return state[0] === ChunkState.copied;
  }

  async #releaseAs(chunk: number, state: number): Promise<void> {
    await this.#mark(chunk, state);
    this.#release(chunk);
  }

  async #mark(chunk: number, state: number): Promise<void> {
    await this.#options.map.write(chunk, Uint8Array.of(state));
  }

  #release(chunk: number): void {
    this.#isFree[chunk] = 1;
  }

  /** Resolves when there is room in memory for so many bytes, which it then occupies, or the preservation has ended. */
  async #takeRoom(bytes: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#awaitingRoom.push({ bytes, proceed: resolve });
    this.#grantRoom();
    await promise;
  }

  #giveRoom(bytes: number): void {
    this.#bufferedBytes -= bytes;
    this.#grantRoom();
  }

  #grantRoom(): void {
    const queue = this.#awaitingRoom;
    for (let next = queue.first; next !== undefined && this.#hasRoomFor(next.bytes); next = queue.first) {
      queue.shift();
      this.#bufferedBytes += next.bytes;
      next.proceed();
    }
  }

  #hasRoomFor(bytes: number): boolean {
    return this.#hasEnded || this.#bufferedBytes + bytes <= this.#limits.bufferedBytes;
  }
}
