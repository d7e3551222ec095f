import type { TextWriter } from "./context.ts";

/** A stream of the process, such as `Deno.stdout`. */
export interface ConsoleStream {
  writeSync(bytes: Uint8Array): number;
}

/**
 * Writes text to a stream of the process. When the reader has gone away (`iscsi check | head -1`), the rest of the
 * text is dropped: that is no reason to stop in the middle of what the command does.
 */
export class ConsoleWriter implements TextWriter {
  readonly #stream: ConsoleStream;
  #isBroken = false;

  constructor(stream: ConsoleStream) {
    this.#stream = stream;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    for (let written = 0; written < bytes.length && !this.#isBroken;) {
      try {
        written += this.#stream.writeSync(bytes.subarray(written));
      } catch (error) {
        if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
        this.#isBroken = true;
      }
    }
  }
}
