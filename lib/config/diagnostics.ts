import type { Diagnostic } from "./diagnostic.ts";

/** Longest piece of the user's text that a message repeats, in UTF-16 units. */
const QUOTED_LENGTH_MAX = 120;

/** Repeats the user's text in a message, in double quotes, with control characters escaped. */
export function quote(text: string): string {
  const shown = text.length > QUOTED_LENGTH_MAX ? `${text.slice(0, QUOTED_LENGTH_MAX)}...` : text;
  return JSON.stringify(shown);
}

/** Says that an entry of a file is wrong or doubtful. */
export interface Report {
  error(message: string): void;
  warning(message: string): void;
}

/** Collects what there is to say about one file. */
export class Diagnostics {
  readonly #file: string;
  readonly #list: Diagnostic[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  error(line: number, message: string): void {
    this.#list.push({ severity: "error", file: this.#file, line, message });
  }

  warning(line: number, message: string): void {
    this.#list.push({ severity: "warning", file: this.#file, line, message });
  }

  /** A report whose every message is about `line`. */
  at(line: number): Report {
    return {
      error: (message) => this.error(line, message),
      warning: (message) => this.warning(line, message),
    };
  }

  get hasErrors(): boolean {
    return this.#list.some((diagnostic) => diagnostic.severity === "error");
  }

  /** Everything said so far, in the order of lines. */
  toArray(): Diagnostic[] {
    return this.#list.toSorted((a, b) => a.line - b.line);
  }
}
