import { StoreError } from "./block_store.ts";

/**
 * The operations that change files and run off the event loop, of one worker. They go on when the worker is
 * terminated, and reach the files then: so nobody else may use these files before nothing is under way.
 *
 * What is done at once needs no counting: nothing else happens in the worker before it has ended.
 */
export class FileActivity {
  /** By file: how many are under way. */
  readonly #counts = new Map<string, number>();
  #isClosed = false;
  #idle: PromiseWithResolvers<void> | undefined;

  /**
   * Takes note that an operation begins. `end` must follow.
   *
   * @throws {StoreError} of kind `writeFailed` when none may begin
   */
  begin(path: string): void {
    if (this.#isClosed) throw new StoreError("writeFailed", `Cannot write "${path}": the target worker ends`);
    this.#counts.set(path, (this.#counts.get(path) ?? 0) + 1);
  }

  /** Takes note that an operation has ended, in whatever way. */
  end(path: string): void {
    const count = this.#counts.get(path)!;
    if (count > 1) return void this.#counts.set(path, count - 1);
    this.#counts.delete(path);
    if (this.#counts.size === 0) this.#idle?.resolve();
  }

  /** Does something that is one operation, or several in a row. */
  async during<T>(path: string, work: () => Promise<T>): Promise<T> {
    this.begin(path);
    try {
      return await work();
    } finally {
      this.end(path);
    }
  }

  /** Lets nothing begin from now on. */
  close(): void {
    this.#isClosed = true;
  }

  /** The files that are being changed. */
  get paths(): string[] {
    return [...this.#counts.keys()];
  }

  /** Resolves when nothing is under way. To be called when nothing can begin. */
  async idle(): Promise<void> {
    if (this.#counts.size === 0) return;
    this.#idle ??= Promise.withResolvers();
    await this.#idle.promise;
  }
}
