/**
 * The rules of this project's English that a machine can check: the first words of docstrings, and phrases that no
 * manual uses. Readers judge the rest.
 */
import type { Finding } from "./syntax.ts";

/** A comment or a text that people read. */
export interface Prose extends Finding {
  /** The first line of a docstring is the start of `text`. */
  readonly isDocstring: boolean;
}

/** A docstring begins with a verb or a noun phrase: these describe around the thing instead of naming it. */
const OPENINGS = [
  ...["What", "How", "Where", "Who", "Whom", "Whose", "Whether", "Why"],
  ...["Which", "Those", "Whoever", "Whatever"],
];
const OPENING = new RegExp(`^(?:${OPENINGS.join("|")})\\b`);

/** Phrases that no manual uses, each with what to write instead. */
const PHRASES: readonly (readonly [phrase: RegExp, remedy: string])[] = [
  [
    /\b(?:no|not|nor|none|never|nothing|nobody|cannot)\b[^.;:]*\bany more\b/i,
    "removed, closed, stopped, gone",
  ],
  [/\banew\b/i, "again"],
  [/\bof late\b/i, "recently"],
  [/\bmostly\b/i, "usually"],
  [/\bbe it\b/i, "or"],
  [/\b(?:somebody|nobody|anybody|himself)\b/i, "the initiator, the client, another process: name it"],
  [/\bwhoever\b/i, "name the subject"],
  [/\b(?:tells?|telling|told)\b/i, "report, log, notify, return"],
  [/\b(?:hears?|heard)\b/i, "receives, is notified"],
  [/\bhow things stand\b/i, "the state"],
  [/\bfor all that\b/i, "still"],
];

/** Finds what is not this project's English. */
export function* findLanguageFaults({ line, text, isDocstring }: Prose): Generator<Finding> {
  const words = text.replaceAll(/\s*\n\s*(?:\*\s?)?/g, " ").trim();
  const opening = isDocstring ? words.match(OPENING) : null;
  if (opening !== null) {
    yield { line, text: `a docstring begins with "${opening[0]}": begin with a verb or a noun phrase` };
  }
  for (const [phrase, remedy] of PHRASES) {
    const match = words.match(phrase);
    if (match !== null) yield { line, text: `"${match[0]}": write ${remedy}` };
  }
}
