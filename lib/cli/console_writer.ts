import type { TextWriter } from "./context.ts";

/** A stream of the process, such as `Deno.stdout`. */
export interface ConsoleStream {
  writeSync(bytes: Uint8Array): number;
}

/** How a stream is written to that does not take everything. */
export interface ConsoleWriterOptions {
  /**
   * Every text stands for itself, as in a log: one that does not arrive is lost, and the next is tried. Otherwise the
   * texts are one document, of which nothing is written behind a gap.
   */
  readonly isLog?: boolean;
  /** How long a stream may take nothing that does not block (a pipe with O_NONBLOCK, whose reader is slow). */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 10_000;
const PAUSE_MS = 5;

/**
 * Writes text to a stream of the process. When its reader has gone away (`iscsi build | head -1`), or the disk that it
 * goes to is full, the text is dropped: that is no reason to stop in the middle of what the command does. Whoever runs
 * the command says at its end what has become of its output.
 */
export class ConsoleWriter implements TextWriter {
  readonly #stream: ConsoleStream;
  readonly #isLog: boolean;
  readonly #patienceMs: number;
  #failure: Error | undefined;
  /** A line has come out in part. */
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

/** Waits, as writing waits that blocks. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)), 0, 0, ms);
}
