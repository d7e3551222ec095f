/**
 * The outcome of each mutant, kept in a file of one JSON object a line. An interrupted run resumes.
 *
 * An outcome holds for the text of the mutated file. A mutant that no test noticed is tried again when the tests have
 * changed; one that was noticed is not.
 */
import { createHash } from "node:crypto";
import { dirname } from "@std/path";
import { type Mutant, nameOf } from "./_mutant.ts";

/** The outcomes that a mutant can have. */
export const OUTCOMES = ["noticed", "hung", "notNoticed"] as const;

/** The outcome of a mutant. */
export interface Outcome {
  readonly kind: typeof OUTCOMES[number];
  /** The test that noticed it. */
  readonly test?: string;
}

/** A line of the file. */
interface Line extends Outcome {
  readonly mutant: string;
  /** Digests of the file before the fault, and of the tests. */
  readonly source: string;
  readonly tests: string;
}

/** Returns a digest of texts. */
export function digestOf(...texts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(text).update("\0");
  return hash.digest("hex").slice(0, 16);
}

/** A file of outcomes. */
export class Results {
  readonly #path: string;
  readonly #tests: string;
  readonly #lines = new Map<string, Line>();

  /**
   * Opens a file of outcomes, which need not exist.
   *
   * @param tests the digest of the tests that are run now
   */
  constructor(path: string, tests: string) {
    this.#path = path;
    this.#tests = tests;
    for (const line of readLines(path)) this.#lines.set(keyOf(line.mutant, line.source), line);
  }

  /** Returns the outcome of an earlier run, as far as it still holds. */
  find(mutant: Mutant, source: string): Outcome | undefined {
    const line = this.#lines.get(keyOf(identify(mutant), source));
    const holds = line !== undefined && (line.kind !== "notNoticed" || line.tests === this.#tests);
    return holds ? line : undefined;
  }

  /** Keeps an outcome. */
  add(mutant: Mutant, source: string, outcome: Outcome): void {
    const line: Line = { mutant: identify(mutant), source, tests: this.#tests, ...outcome };
    this.#lines.set(keyOf(line.mutant, source), line);
    Deno.mkdirSync(dirname(this.#path), { recursive: true });
    Deno.writeTextFileSync(this.#path, JSON.stringify(line) + "\n", { append: true });
  }
}

/** Identifies a mutant also where two places of a file have the same lines and the same change. */
function identify(mutant: Mutant): string {
  return `${nameOf(mutant)} @${mutant.start}`;
}

function keyOf(mutant: string, source: string): string {
  return `${source} ${mutant}`;
}

/** Reads the lines of a file up to one that an interruption has cut short. */
function readLines(path: string): Line[] {
  try {
    const lines = Deno.readTextFileSync(path).split("\n");
    return lines.slice(0, -1).map((line) => JSON.parse(line) as Line);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new Error(`Cannot read the results in "${path}": ${error}; remove the file`, { cause: error });
  }
}
