/**
 * The list of mutants that no test could notice. An entry has four lines, and an empty line ends it:
 *
 * ```text
 * lib/store/pace.ts
 *   - the lines before
 *   + the lines after
 *   the reason
 * ```
 */
import { type Mutant, nameOf } from "./_mutant.ts";

/** A mutant that behaves as the original does. */
export interface Equivalent {
  /** The first line of the entry, counted from 1. */
  readonly line: number;
  readonly path: string;
  readonly before: string;
  readonly after: string;
  readonly reason: string;
}

/**
 * Reads a list. Lines that begin with `#` are comments.
 *
 * @param name the name of the file, for messages
 * @throws {SyntaxError} when an entry is not as above
 */
export function parseEquivalents(text: string, name: string): Equivalent[] {
  const entries: Equivalent[] = [];
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at++) {
    if (lines[at]!.trim() === "" || lines[at]!.startsWith("#")) continue;
    const entry = lines.slice(at, at + 5).join("\n");
    const match = /^(\S+)\n +- (.+)\n +\+ (.+)\n +(\S.*)(?:\n|$)(?:\n|$)?/.exec(entry);
    const isWhole = match !== null && (lines[at + 4] ?? "").trim() === "";
    if (!isWhole) {
      throw new SyntaxError(
        `${name}:${at + 1}: not a file, "- before", "+ after" and a reason: ${lines[at]}`,
      );
    }
    const [, path, before, after, reason] = match;
    entries.push({ line: at + 1, path: path!, before: before!, after: after!, reason: reason! });
    at += 4;
  }
  return entries;
}

/** Returns the mutants that are not on the list. */
export function withoutEquivalents(mutants: readonly Mutant[], list: readonly Equivalent[]): Mutant[] {
  const names = new Set(list.map(nameOf));
  return mutants.filter((mutant) => !names.has(nameOf(mutant)));
}

/** Returns the entries for these files that name no mutant: the code has changed, or the entry has a mistake. */
export function findStale(
  list: readonly Equivalent[],
  paths: readonly string[],
  mutants: readonly Mutant[],
): Equivalent[] {
  const names = new Set(mutants.map(nameOf));
  return list.filter((entry) => paths.includes(entry.path) && !names.has(nameOf(entry)));
}
