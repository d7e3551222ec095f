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
   * A handle for the caller alone until it is given back; undefined when all are taken. It costs no promise, which
   * counts where a disk completes tens of thousands of reads a second.
   *
   * @throws {Error} when the pool is closed
   */
  take(): Deno.FsFile | undefined {
    if (this.#isClosed) throw new Error("it is closed");
    return this.#idle.pop() ?? this.#openAnother();
  }

  /** The next handle that is given back, when `take` has none: the oldest caller's first. */
  nextGivenBack(): Promise<Deno.FsFile> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The caller has done with a handle. */
  giveBack(handle: Deno.FsFile): void {
    const next = this.#waiting.shift();
    if (next !== undefined) next(handle);
    else if (this.#isClosed) handle.close();
    else this.#idle.push(handle);
  }

  /** Closes all handles: those that are taken as soon as they are given back. No more can be taken. */
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
}
