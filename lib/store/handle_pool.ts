/** Most handles of one pool, and so the most reads and writes of one file that the kernel works on at once. */
const HANDLES_MAX = 32;

/**
 * Handles on one file for work that takes its time: an asynchronous read or write occupies a handle, because its
 * offset is the handle's position, so that as many can be under way as there are handles.
 *
 * One handle is opened at once and the others when they are first needed: a file that is always answered from the
 * page cache needs none of them.
 */
export class HandlePool {
  readonly #open: () => Deno.FsFile;
  readonly #idle: Deno.FsFile[] = [];
  readonly #waiting: ((handle: Deno.FsFile) => void)[] = [];
  #openCount = 0;
  #isClosed = false;

  /**
   * @param open opens a further handle on the same file
   * @throws {Error} whatever the first `open` throws
   */
  constructor(open: () => Deno.FsFile) {
    this.#open = open;
    this.#idle.push(open());
    this.#openCount = 1;
  }

  /**
   * Gives `work` a handle of its own until its promise settles; the oldest caller first when all are taken.
   *
   * @throws {Error} (rejects) when the pool is closed already; and whatever `work` throws
   */
  async use<T>(work: (handle: Deno.FsFile) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new Error("it is closed");
    const handle = this.#idle.pop() ?? this.#openAnother() ?? await this.#nextReturned();
    try {
      return await work(handle);
    } finally {
      const next = this.#waiting.shift();
      if (next !== undefined) next(handle);
      else if (this.#isClosed) handle.close();
      else this.#idle.push(handle);
    }
  }

  /** Closes all handles: those that work has as soon as it has done with them. No further work begins. */
  close(): void {
    this.#isClosed = true;
    for (const handle of this.#idle.splice(0)) handle.close();
  }

  #openAnother(): Deno.FsFile | undefined {
    if (this.#openCount === HANDLES_MAX) return undefined;
    try {
      const handle = this.#open();
      this.#openCount++;
      return handle;
    } catch {
      // The file was replaced or the process has no descriptors left. The handles that are open still lead to the
      // right file, so the work waits for one of them instead of failing.
      return undefined;
    }
  }

  #nextReturned(): Promise<Deno.FsFile> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
