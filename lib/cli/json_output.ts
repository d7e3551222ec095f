import { type Diagnostic, formatDiagnostic } from "../config/diagnostic.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import type { TextWriter } from "./text_writer.ts";

/** The field `error` of the JSON of a command that has failed. */
export interface JsonError {
  readonly exitCode: ExitCode;
  readonly message: string;
  /** The errors and warnings of the conf and the disk. */
  readonly diagnostics: readonly Diagnostic[];
}

/** The start of each message of this program on standard error. */
const MESSAGE_START = "iscsi: ";

/**
 * The output of a command with `--json`: one document, or one in each line. A command that fails has the field `error`
 * in its document, or a document with nothing else. Its message is what the command writes to standard error.
 */
export class JsonOutput {
  readonly #stdout: TextWriter;
  readonly #messages: string[] = [];
  readonly #diagnostics: Diagnostic[] = [];
  /** The standard error of the command. */
  readonly stderr: TextWriter;
  #document: unknown;
  #hasLines = false;

  constructor({ stdout, stderr }: { readonly stdout: TextWriter; readonly stderr: TextWriter }) {
    this.#stdout = stdout;
    const addMessage = (text: string): void => this.addMessage(text);
    this.stderr = {
      get failure(): Error | undefined {
        return stderr.failure;
      },
      write(text): void {
        stderr.write(text);
        if (text.startsWith(MESSAGE_START)) addMessage(text.slice(MESSAGE_START.length));
      },
    };
  }

  /** Adds to the message of the error, in case that the command fails. */
  addMessage(text: string): void {
    this.#messages.push(text.trimEnd());
  }

  /** Adds to the diagnostics of the error, in case that the command fails. */
  addDiagnostics(diagnostics: readonly Diagnostic[]): void {
    this.#diagnostics.push(...diagnostics);
  }

  /** Sets the document, which is written at the end of the command. */
  setDocument(document: unknown): void {
    this.#document = document;
  }

  /** Writes a document in a line. */
  writeLine(document: unknown): void {
    this.#hasLines = true;
    this.#stdout.write(`${JSON.stringify(document)}\n`);
  }

  /** Writes the document of a command that has ended. */
  end(exitCode: ExitCode): void {
    const error = this.#errorOf(exitCode);
    const document = error === undefined ? this.#document : { ...this.#document ?? {}, error };
    if (document === undefined) return;
    if (this.#hasLines) this.writeLine(document);
    else this.#stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  }

  #errorOf(exitCode: ExitCode): JsonError | undefined {
    // A person has ended output that would have no end.
    const isEnded = this.#hasLines && exitCode === EXIT_CODES.interrupted.code;
    if (exitCode === EXIT_CODES.done.code || isEnded) return undefined;
    const errors = this.#diagnostics.filter(({ severity }) => severity === "error").map(formatDiagnostic);
    const messages = [...errors, ...this.#messages];
    const message = messages.length === 0 ? meaningOf(exitCode) : messages.join("\n");
    return { exitCode, message, diagnostics: this.#diagnostics };
  }
}

function meaningOf(exitCode: ExitCode): string {
  return Object.values(EXIT_CODES).find(({ code }) => code === exitCode)!.meaning;
}
