import type { Context, TextWriter } from "./context.ts";

const CLEAR_LINE = "\r\x1b[K";

/** A line on the terminal that shows the progress of long work, and is cleared afterwards; absent in a pipe. */
export class ProgressLine {
  readonly #writer: TextWriter | undefined;
  #isShown = false;

  constructor({ stderr, showsProgress = false }: Context) {
    this.#writer = showsProgress ? stderr : undefined;
  }

  show(text: string): void {
    this.#writer?.write(`${CLEAR_LINE}${text}`);
    this.#isShown = true;
  }

  /** Clears the line for other text. */
  clear(): void {
    if (this.#isShown) this.#writer?.write(CLEAR_LINE);
    this.#isShown = false;
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}
