import { StoreError } from "./block_store.ts";

/**
 * The file-changing operations of one worker that run off the event loop. They continue when the worker is terminated,
 * and still reach the files then. So no other process may use these files before all of them have ended.
 *
 * Operations on the event loop need no counting, because the worker does nothing else until they have ended.
 */
export class FileActivity {
  /** Number of operations under way, by path. */
  readonly #counts = new Map<string, number>();
  #isClosed = false;
  #idle: PromiseWithResolvers<void> | undefined;

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
  }

  /** Counts an operation that has ended, successful or not. */
  end(path: string): void {
    const count = this.#counts.get(path)!;
    if (count > 1) return void this.#counts.set(path, count - 1);
    this.#counts.delete(path);
    if (this.#counts.size === 0) this.#idle?.resolve();
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
    return [...this.#counts.keys()];
  }

  /** Resolves when nothing is under way. It must be called after `close`. */
  async idle(): Promise<void> {
    if (this.#counts.size === 0) return;
    this.#idle ??= Promise.withResolvers();
    await this.#idle.promise;
  }
}
