/** A destination of text. */
export interface TextWriter {
  write(text: string): void;
  /** The reason why text was lost; undefined when all was written. */
  readonly failure?: Error | undefined;
}
