import type { Terminal } from "./terminal.ts";

/** Where text goes. */
export interface TextWriter {
  write(text: string): void;
  /** Why what was written has not arrived; undefined when it has. */
  readonly failure?: Error | undefined;
}

/** What a command knows of the process that it runs in. */
export interface Context {
  /** For results. */
  readonly stdout: TextWriter;
  /** For diagnostics. */
  readonly stderr: TextWriter;
  /** Asks the person at the terminal; undefined where there is none. */
  readonly confirm?: ((question: string) => Promise<boolean>) | undefined;
  /** Standard error is a terminal: long work shows there how far it has come. */
  readonly showsProgress?: boolean;
  /** The one that standard output is; undefined when it goes elsewhere. */
  readonly terminal?: Terminal | undefined;
  /** Of this program. */
  readonly version: string;
}
