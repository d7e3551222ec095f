import type { Diagnostic } from "./diagnostic.ts";

/** The longest piece of the user's text that a message repeats, in UTF-16 units. */
const QUOTED_LENGTH_MAX = 120;

/** A secret within the value of another option, as in `user=a secret=...`. */
const MISPLACED_SECRET = /(secrets?)(\s*=\s*|\s+)\S.*$/is;

/**
 * Quotes the user's text for a message: in double quotes, with control characters escaped and without a secret that
 * it contains by mistake.
 */
export function quote(text: string): string {
  const open = text.replace(MISPLACED_SECRET, "$1$2...");
  const shown = open.length > QUOTED_LENGTH_MAX ? `${open.slice(0, QUOTED_LENGTH_MAX)}...` : open;
  return JSON.stringify(shown);
}

/** Receives the errors and warnings about one entry of a file. */
export interface Report {
  error(message: string): void;
  warning(message: string): void;
}

/** Collects the diagnostics of one file, and of the files that it names. */
export class Diagnostics {
  readonly #file: string;
  readonly #list: Diagnostic[] = [];
  readonly #named: Diagnostics[] = [];
  readonly #firstLines = new Map<string, number>();

  constructor(file: string) {
    this.#file = file;
  }

  error(line: number, message: string): void {
    this.#list.push({ severity: "error", file: this.#file, line, message });
  }

  warning(line: number, message: string): void {
    this.#list.push({ severity: "warning", file: this.#file, line, message });
  }

  /** Returns a report for the messages about `line`. */
  at(line: number): Report {
    return {
      error: (message) => this.error(line, message),
      warning: (message) => this.warning(line, message),
    };
  }

  /** Returns the line whose message explains a topic: the first for which this is called. */
  lineThatExplains(topic: string, line: number): number {
    const first = this.#firstLines.get(topic) ?? line;
    this.#firstLines.set(topic, first);
    return first;
  }

  /** Returns the diagnostics of another file, which this one names. They become part of these. */
  of(file: string): Diagnostics {
    const diagnostics = new Diagnostics(file);
    this.#named.push(diagnostics);
    return diagnostics;
  }

  get hasErrors(): boolean {
    return this.#list.some((diagnostic) => diagnostic.severity === "error") ||
      this.#named.some((diagnostics) => diagnostics.hasErrors);
  }

  /** Returns all diagnostics, by file and line. */
  toArray(): Diagnostic[] {
    const named = this.#named.flatMap((diagnostics) => diagnostics.toArray());
    return [...this.#list.toSorted((a, b) => a.line - b.line), ...named];
  }
}
