import type { StoreError } from "./block_store.ts";

/** The operations of a `FlushQueue` on its file. */
export interface FlushedFile {
  /** Opens the file unless it is open. A failure is not final, since nothing was synchronized. */
  readonly open?: () => Promise<void>;
  /** Puts what was written on stable storage. */
  readonly sync: () => Promise<void>;
  /** Returns the error that the caller of a failed flush gets. */
  readonly toError: (cause: unknown) => StoreError;
}

/**
 * The flushes of one file, and the work on it that must not overlap with them. One runs at a time, in order of arrival.
 *
 * Callers share flushes. A flush that runs may have begun before a caller's writes completed, so the caller needs the
 * next one. All callers that arrive until the next one begins share it.
 *
 * A failed flush is final. When writing back fails, Linux drops the pages, reports the error once per handle, and lets
 * the next fdatasync succeed although the data of acknowledged writes is lost. So every later flush fails with the same
 * error, until the file is opened again.
 */
export class FlushQueue {
  readonly #file: FlushedFile;
  /** The end of the last work that was queued; it never rejects. */
  #last: Promise<void> = Promise.resolve();
  #pending = 0;
  /** The flush that has not begun. */
  #nextFlush: Promise<void> | undefined;
  #failure: StoreError | undefined;

  constructor(file: FlushedFile) {
    this.#file = file;
  }

  /**
   * Resolves when what was written before the call is on stable storage.
   *
   * @throws {StoreError} (rejects) when that, or an earlier flush, fails
   */
  flush(): Promise<void> {
    this.#nextFlush ??= this.run(() => {
      this.#nextFlush = undefined;
      return this.sync();
    });
    return this.#nextFlush;
  }

  /** Does work after all that was queued before. */
  run<T>(work: () => Promise<T>): Promise<T> {
    this.#pending++;
    const result = this.#last.then(work);
    this.#last = result.then(this.#end, this.#end);
    return result;
  }

  /**
   * Flushes at once. Only work of this queue may call it.
   *
   * @throws {StoreError} (rejects) as `flush` does
   */
  async sync(): Promise<void> {
    this.throwIfFailed();
    try {
      await this.#file.open?.();
    } catch (error) {
      throw this.#file.toError(error);
    }
    try {
      await this.#file.sync();
    } catch (error) {
      throw this.fail(error);
    }
  }

  /** Fails every later flush, because the file cannot be trusted. Returns the error that they get. */
  fail(cause: unknown): StoreError {
    this.#failure ??= this.#file.toError(cause);
    return this.#failure;
  }

  /** @throws {StoreError} when a flush has failed */
  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Calls back when all that was queued before has ended: at once when nothing is queued. */
  afterQueued(callback: () => void): void {
    if (this.#pending === 0) callback();
    else this.#last.then(callback);
  }

  readonly #end = (): void => {
    this.#pending--;
  };
}
