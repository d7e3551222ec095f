/** Something to write text to, such as `Deno.stderr`. */
export interface TextStream {
  isTerminal(): boolean;
  writeSync(bytes: Uint8Array): number;
}

/** Says what is being measured: in a line that is gone afterwards on a terminal, elsewhere by a line for each job. */
export class Progress {
  readonly #stream: TextStream;
  #job = "";

  constructor(stream: TextStream = Deno.stderr) {
    this.#stream = stream;
  }

  /** A part of a job begins. */
  show(job: string, part: string): void {
    if (this.#stream.isTerminal()) this.#write(`\r\x1b[K${job}: ${part}`);
    else if (job !== this.#job) this.#write(`${job}\n`);
    this.#job = job;
  }

  [Symbol.dispose](): void {
    this.clear();
  }

  /** Makes room for a line of output on the same terminal. */
  clear(): void {
    if (this.#stream.isTerminal()) this.#write("\r\x1b[K");
  }

  #write(text: string): void {
    this.#stream.writeSync(new TextEncoder().encode(text));
  }
}
