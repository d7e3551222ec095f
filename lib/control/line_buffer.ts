const LINE_FEED = 0x0a;

/** Cuts a stream of bytes into lines of text (UTF-8, ended by a line feed), however it is delivered. */
export class LineBuffer {
  readonly #limitBytes: number;
  #pieces: Uint8Array[] = [];
  #lengthBytes = 0;

  /** @param limitBytes longest line, with its line feed */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /**
   * Adds received bytes, and returns the lines that they complete.
   *
   * @throws {RangeError} when a line is too long
   * @throws {TypeError} when a line is not UTF-8
   */
  push(bytes: Uint8Array): string[] {
    const lines: string[] = [];
    for (let rest = bytes; rest.length > 0;) {
      const end = rest.indexOf(LINE_FEED) + 1;
      const piece = end === 0 ? rest : rest.subarray(0, end);
      if (this.#lengthBytes + piece.length > this.#limitBytes) {
        throw new RangeError(`Line is longer than ${this.#limitBytes} bytes`);
      }
      // The caller reuses its buffer.
      this.#pieces.push(piece.slice());
      this.#lengthBytes += piece.length;
      if (end > 0) lines.push(this.#takeLine());
      rest = rest.subarray(piece.length);
    }
    return lines;
  }

  /** True if an incomplete line was received. */
  get isInLine(): boolean {
    return this.#lengthBytes > 0;
  }

  #takeLine(): string {
    const line = new Uint8Array(this.#lengthBytes);
    let offset = 0;
    for (const piece of this.#pieces) {
      line.set(piece, offset);
      offset += piece.length;
    }
    this.#pieces = [];
    this.#lengthBytes = 0;
    return new TextDecoder("utf-8", { fatal: true }).decode(line.subarray(0, -1));
  }
}
