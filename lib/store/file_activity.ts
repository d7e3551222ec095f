import { StoreError } from "./block_store.ts";

/**
 * The file-changing operations of one worker that run off the event loop. They continue when the worker is terminated,
 * and still reach the files then. So no other process may use these files before all of them have ended.
 *
 * Operations on the event loop need no counting, because the worker does nothing else until they have ended. The mark
 * names the file of one that does not end.
 */
export class FileActivity {
  /**
   * Element 0: the number of the file of the last operation on the event loop; 0 before the first. A supervisor can
   * share this memory. Stores use the array that is set when they are opened.
   */
  mark: Int32Array = new Int32Array(1);
  readonly #onNumbered: (number: number, path: string) => void;
  /** The numbers of files, by path. */
  readonly #numbers = new Map<string, number>();
  /**
   * Number of operations under way, by path. A path stays when there are none: a `Map` from which the same key is
   * removed again and again passes all its former places, as many as it has other keys.
   */
  readonly #counts = new Map<string, number>();
  #total = 0;
  #isClosed = false;
  #idle: PromiseWithResolvers<void> | undefined;

  /** @param onNumbered called with the number of each file, before the mark can have it */
  constructor(onNumbered: (number: number, path: string) => void = () => {}) {
    this.#onNumbered = onNumbered;
  }

  /** Returns the number of a file, for the mark. */
  numberOf(path: string): number {
    const known = this.#numbers.get(path);
    if (known !== undefined) return known;
    const number = this.#numbers.size + 1;
    this.#numbers.set(path, number);
    this.#onNumbered(number, path);
    return number;
  }

  /**
   * Counts an operation that begins. `end` must follow.
   *
   * @throws {StoreError} of kind `writeFailed` when the worker is stopping
   */
  begin(path: string): void {
    if (this.#isClosed) {
      throw new StoreError("writeFailed", `Cannot write "${path}": the target worker is stopping`);
    }
    this.#counts.set(path, (this.#counts.get(path) ?? 0) + 1);
    this.#total++;
  }

  /** Counts an operation that has ended, successful or not. */
  end(path: string): void {
    this.#counts.set(path, this.#counts.get(path)! - 1);
    this.#total--;
    if (this.#total === 0) this.#idle?.resolve();
  }

  /** Does work that counts as one operation. */
  async during<T>(path: string, work: () => Promise<T>): Promise<T> {
    this.begin(path);
    try {
      return await work();
    } finally {
      this.end(path);
    }
  }

  /** Refuses operations from now on. */
  close(): void {
    this.#isClosed = true;
  }

  /** The paths of the files that are being changed. */
  get paths(): string[] {
    return [...this.#counts].filter(([, count]) => count > 0).map(([path]) => path);
  }

  /** Resolves when nothing is under way. It must be called after `close`. */
  async idle(): Promise<void> {
    if (this.#total === 0) return;
    this.#idle ??= Promise.withResolvers();
    await this.#idle.promise;
  }
}
