/**
 * Most handles of one pool, and so the most reads and writes of one file that the kernel works on at once. Each has one
 * of the 32 threads that Deno has for such work in a worker: a file whose disk hangs must leave some to the others.
 */
const HANDLES_MAX = 24;

/**
 * Handles on one file for work that takes its time: an asynchronous read or write occupies a handle, because its
 * offset is the handle's position, so that as many can be under way as there are handles.
 *
 * There is one handle from the start, and the others are opened when they are first needed: a file that is always
 * answered from the page cache needs none of them. Opening a file may take as long as its disk hangs, so no work waits
 * for that alone: whichever handle is free first is taken.
 */
export class HandlePool {
  readonly #open: () => Promise<Deno.FsFile>;
  readonly #idle: Deno.FsFile[];
  readonly #waiting: ((handle: Deno.FsFile) => void)[] = [];
  /** Handles that are open or being opened. */
  #count = 1;
  #isClosed = false;

  /**
   * @param first a handle on the file
   * @param open opens a further one
   */
  constructor(first: Deno.FsFile, open: () => Promise<Deno.FsFile>) {
    this.#idle = [first];
    this.#open = open;
  }

  /**
   * Returns a handle for the caller alone until it is given back; undefined when all are taken. It takes no promise,
   * which counts where a disk completes tens of thousands of reads a second.
   *
   * @throws {Error} when the pool is closed
   */
  take(): Deno.FsFile | undefined {
    if (this.#isClosed) throw new Error("it is closed");
    const handle = this.#idle.pop();
    if (handle === undefined && this.#count < HANDLES_MAX) this.#openAnother();
    return handle;
  }

  /** Resolves to the next handle that is free, when `take` has none: the oldest caller's first. */
  nextGivenBack(): Promise<Deno.FsFile> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Takes back a handle that the caller has done with. */
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

  async #openAnother(): Promise<void> {
    this.#count++;
    try {
      this.giveBack(await this.#open());
    } catch {
      // The file was replaced or the process has no descriptors left. The handles that are open still lead to the
      // right file, so the work waits for one of them instead of failing.
      this.#count--;
    }
  }
}
