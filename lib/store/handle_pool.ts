import { LinkedQueue } from "../base/linked_queue.ts";

/**
 * Maximum number of handles of one pool, and so of reads and writes of one file that the kernel works on at a time.
 * Each uses one of the 32 threads of a Deno worker for such work: a file on a hanging disk must leave some to other
 * files.
 */
const HANDLES_MAX = 24;

/**
 * Handles on one file for asynchronous work. A read or write occupies a handle, because its offset is the position of
 * the handle, so there is a handle for each operation under way.
 *
 * The pool starts with one handle and opens the others when they are first needed: a file that is always in the page
 * cache needs none of them. Opening a file may take as long as its disk hangs, so no operation waits for that alone: it
 * takes the first handle that is free.
 */
export class HandlePool {
  readonly #open: () => Promise<Deno.FsFile>;
  readonly #idle: Deno.FsFile[];
  readonly #waiting = new LinkedQueue<(handle: Deno.FsFile) => void>();
  /** Handles that are open or being opened. */
  #count = 1;
  #isClosed = false;

  /**
   * @param first a handle on the file
   * @param open opens another one
   */
  constructor(first: Deno.FsFile, open: () => Promise<Deno.FsFile>) {
    this.#idle = [first];
    this.#open = open;
  }

  /**
   * Returns a handle for the caller alone until it is given back; undefined when all are taken. It is synchronous,
   * which matters for a disk that completes tens of thousands of reads a second.
   *
   * @throws {Error} when the pool is closed
   */
  take(): Deno.FsFile | undefined {
    if (this.#isClosed) throw new Error("it is closed");
    const handle = this.#idle.pop();
    if (handle === undefined && this.#count < HANDLES_MAX) this.#openAnother();
    return handle;
  }

  /** Resolves to the next free handle, when `take` has none: the oldest caller is first. */
  nextGivenBack(): Promise<Deno.FsFile> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Returns a handle to the pool. */
  giveBack(handle: Deno.FsFile): void {
    const next = this.#waiting.shift();
    if (next !== undefined) next(handle);
    else if (this.#isClosed) handle.close();
    else this.#idle.push(handle);
  }

  /** Closes all handles; those that are taken are closed when they are given back. No more can be taken. */
  close(): void {
    this.#isClosed = true;
    for (const handle of this.#idle.splice(0)) handle.close();
  }

  async #openAnother(): Promise<void> {
    this.#count++;
    try {
      this.giveBack(await this.#open());
    } catch {
      // The file was replaced, or the process has no descriptors left. The open handles still refer to the right file,
      // so the work waits for one of them instead of failing.
      this.#count--;
    }
  }
}
