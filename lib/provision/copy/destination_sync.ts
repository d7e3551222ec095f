/**
 * Bytes after which the destination is put on stable storage, so that little is left for the end. The copy goes on
 * meanwhile, until as much has been copied again.
 */
const SYNC_BYTES = 64 * 1024 * 1024;

/** The same for a copy that leaves the disk to others: it waits, so that little is under way, and rests as long. */
const GENTLE_SYNC_BYTES = 4 * 1024 * 1024;

/** A destination that can be put on stable storage. */
interface Syncable {
  sync(): Promise<void>;
}

/** Puts a destination on stable storage from time to time. */
export class DestinationSync {
  readonly #destination: Syncable;
  readonly #isGentle: boolean;
  #unsyncedBytes = 0;
  #synced = Promise.resolve();

  constructor(destination: Syncable, isGentle: boolean) {
    this.#destination = destination;
    this.#isGentle = isGentle;
  }

  /**
   * Counts bytes that were copied.
   *
   * @throws {Error} (rejects) when an earlier part could not be put on stable storage
   */
  async moved(bytes: number): Promise<void> {
    this.#unsyncedBytes += bytes;
    if (this.#unsyncedBytes < (this.#isGentle ? GENTLE_SYNC_BYTES : SYNC_BYTES)) return;
    await this.#synced;
    this.#synced = this.#destination.sync();
    // It is awaited later.
    this.#synced.catch(() => {});
    if (this.#isGentle) await this.#synced;
    this.#unsyncedBytes = 0;
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.#synced;
  }
}
