import type { Diagnostic } from "./diagnostic.ts";

/** Longest piece of the user's text that a message repeats, in UTF-16 units. */
const QUOTED_LENGTH_MAX = 120;

/** What stands behind the name of a secret, as in `user=a secret=...`, in a text that was meant for something else. */
const MISPLACED_SECRET = /(secrets?)(\s*=\s*|\s+)\S.*$/is;

/**
 * Repeats the user's text in a message, in double quotes, with control characters escaped. A secret that got into it
 * is left out.
 */
export function quote(text: string): string {
  const open = text.replace(MISPLACED_SECRET, "$1$2...");
  const shown = open.length > QUOTED_LENGTH_MAX ? `${open.slice(0, QUOTED_LENGTH_MAX)}...` : open;
  return JSON.stringify(shown);
}

/** Says that an entry of a file is wrong or doubtful. */
export interface Report {
  error(message: string): void;
  warning(message: string): void;
}

/** Collects what there is to say about one file, and about those that it names. */
export class Diagnostics {
  readonly #file: string;
  readonly #list: Diagnostic[] = [];
  readonly #named: Diagnostics[] = [];

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

  /** Takes in what there is to say about another file, which this one names. */
  of(file: string): Diagnostics {
    const diagnostics = new Diagnostics(file);
    this.#named.push(diagnostics);
    return diagnostics;
  }

  get hasErrors(): boolean {
    return this.#list.some((diagnostic) => diagnostic.severity === "error") ||
      this.#named.some((diagnostics) => diagnostics.hasErrors);
  }

  /** Everything said so far, in the order of lines, and of one file after the other. */
  toArray(): Diagnostic[] {
    const named = this.#named.flatMap((diagnostics) => diagnostics.toArray());
    return [...this.#list.toSorted((a, b) => a.line - b.line), ...named];
  }
}
