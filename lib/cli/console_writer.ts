import type { TextWriter } from "./context.ts";

/** A stream of the process, such as `Deno.stdout`. */
export interface ConsoleStream {
  writeSync(bytes: Uint8Array): number;
}

/** Options of a writer. */
export interface ConsoleWriterOptions {
  /**
   * The texts are independent, as in a log: after a lost one the next is tried. Otherwise they are one document, and
   * nothing is written after a gap.
   */
  readonly isLog?: boolean;
  /** Time that a stream that does not block (a pipe with O_NONBLOCK and a slow reader) may accept nothing. */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 10_000;
const PAUSE_MS = 5;

/**
 * Writes text to a stream of the process. When its reader has left (`iscsi build | head -1`) or its disk is full, the
 * text is dropped, and the command continues. `failure` has the reason.
 */
export class ConsoleWriter implements TextWriter {
  readonly #stream: ConsoleStream;
  readonly #isLog: boolean;
  readonly #patienceMs: number;
  #failure: Error | undefined;
  /** The last line was written in part. */
  #isInLine = false;

  constructor(
    stream: ConsoleStream,
    { isLog = false, patienceMs = isLog ? 0 : PATIENCE_MS }: ConsoleWriterOptions = {},
  ) {
    this.#stream = stream;
    this.#isLog = isLog;
    this.#patienceMs = patienceMs;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  write(text: string): void {
    if (this.#failure !== undefined && !this.#isLog) return;
    const bytes = new TextEncoder().encode(this.#isInLine ? `\n${text}` : text);
    let written = 0;
    try {
      while (written < bytes.length) written += this.#writePiece(bytes.subarray(written));
      this.#failure = undefined;
      this.#isInLine = false;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#failure = error;
      if (written > 0) this.#isInLine = bytes[written - 1] !== LINE_FEED;
    }
  }

  #writePiece(bytes: Uint8Array): number {
    for (let waitedMs = 0;; waitedMs += PAUSE_MS) {
      try {
        return this.#stream.writeSync(bytes);
      } catch (error) {
        if (!(error instanceof Deno.errors.WouldBlock) || waitedMs >= this.#patienceMs) throw error;
        sleep(PAUSE_MS);
      }
    }
  }
}

const LINE_FEED = 0x0a;

/** Blocks the thread, as a blocking write does. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)), 0, 0, ms);
}
