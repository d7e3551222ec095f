/**
 * Lists of words, some of them in quotation marks, by the rules of a shell: in double quotes a backslash makes the next
 * character literal, in single quotes every character is literal.
 */

/** A word of a list, without its quotation marks. */
export interface Word {
  readonly text: string;
  readonly isQuoted: boolean;
}

const DOUBLE_QUOTED = /"(?:[^"\\]|\\.)*"/;
const SINGLE_QUOTED = /'[^']*'/;
const BARE = /[^\s"'\\]+/;

const QUOTATION = new RegExp(`${DOUBLE_QUOTED.source}|${SINGLE_QUOTED.source}`, "gs");
const LIST = new RegExp(`(${DOUBLE_QUOTED.source}|${SINGLE_QUOTED.source}|${BARE.source})(?:\\s+|$)`, "sy");

/** Splits a list at its white space; returns undefined when a quotation mark or a backslash has no place in it. */
export function splitWords(list: string): Word[] | undefined {
  const text = list.trim();
  const words: Word[] = [];
  for (let end = 0; end < text.length;) {
    LIST.lastIndex = end;
    const match = LIST.exec(text);
    if (match === null) return undefined;
    words.push(readWord(match[1]!));
    end += match[0].length;
  }
  return words;
}

function readWord(word: string): Word {
  const isQuoted = /^["']/.test(word);
  if (!isQuoted) return { text: word, isQuoted };
  const text = word.slice(1, -1);
  return { text: word.startsWith('"') ? text.replaceAll(/\\(.)/gs, "$1") : text, isQuoted };
}

/** Puts a word into double quotes, for a list of this kind and for a shell. */
export function quoteWord(word: string): string {
  return `"${word.replaceAll(/["\\$`]/g, "\\$&")}"`;
}

/** Replaces every quotation in a text by a word. */
export function replaceQuotations(text: string, word: string): string {
  return text.replaceAll(QUOTATION, () => word);
}

/** Splits a text at its spaces, except those in double quotes. */
export function splitOutsideQuotes(text: string): string[] {
  return text.match(/(?:"(?:[^"\\]|\\.)*"|[^ ])+/g) ?? [];
}
