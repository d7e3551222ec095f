/** Where text goes. */
export interface TextWriter {
  write(text: string): void;
}

/** What a command knows of the process that it runs in. */
export interface Context {
  /** For results. */
  readonly stdout: TextWriter;
  /** For diagnostics. */
  readonly stderr: TextWriter;
  /** Of this program. */
  readonly version: string;
}
