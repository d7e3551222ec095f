import type { BlockStore } from "./block_store.ts";
import type { ByteRange } from "./byte_range.ts";
import { Pace } from "./pace.ts";
import type { Extent } from "./space_map.ts";

/** Above this a read has waited for the disk: it is twenty times what the page cache takes for 4 KiB. */
const FAST_READ_MS = 0.04;

/**
 * A write to the page cache waits only when the kernel makes it (too much is dirty), and then for long. Below this,
 * doing it off the event loop would cost more than it saves.
 */
const FAST_WRITE_MS = 1;

/**
 * A store that notices by itself when its medium is slow, and when it is fast again.
 *
 * As long as data comes from the page cache nothing beats doing it at once. When it comes from a disk, each read done
 * at once makes everybody wait for it, and reads wait for each other; then the `...Now` forms decline, and the work is
 * done off the event loop, many at a time. Reads and writes are judged apart: a disk that must be read may well have
 * room in the cache for what is written.
 */
export class AdaptiveStore implements BlockStore {
  readonly #store: BlockStore;
  readonly #now: () => number;
  readonly #readPace = new Pace(FAST_READ_MS);
  readonly #writePace = new Pace(FAST_WRITE_MS);

  /** @param now a clock in milliseconds that never goes back */
  constructor(store: BlockStore, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  get sizeBytes(): number {
    return this.#store.sizeBytes;
  }

  get readOnly(): boolean {
    return this.#store.readOnly;
  }

  get canUnmap(): boolean {
    return this.#store.canUnmap;
  }

  readNow(offset: number, into: Uint8Array): boolean {
    if (!this.#readPace.isTimed()) return this.#store.readNow(offset, into);
    const began = this.#now();
    if (!this.#readPace.mayTry(began)) return false;
    if (!this.#store.readNow(offset, into)) return false;
    this.#readPace.took(began, this.#now(), into.length);
    return true;
  }

  read(offset: number, into: Uint8Array): Promise<void> {
    return this.#store.read(offset, into);
  }

  writeNow(offset: number, from: Uint8Array): boolean {
    if (!this.#writePace.isTimed()) return this.#store.writeNow(offset, from);
    const began = this.#now();
    if (!this.#writePace.mayTry(began)) return false;
    if (!this.#store.writeNow(offset, from)) return false;
    this.#writePace.took(began, this.#now(), from.length);
    return true;
  }

  write(offset: number, from: Uint8Array): Promise<void> {
    return this.#store.write(offset, from);
  }

  flush(): Promise<void> {
    return this.#store.flush();
  }

  unmap(ranges: readonly ByteRange[]): Promise<void> {
    return this.#store.unmap(ranges);
  }

  extentAt(offset: number): Extent {
    return this.#store.extentAt(offset);
  }

  close(): void {
    this.#store.close();
  }
}
