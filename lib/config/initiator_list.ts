/**
 * Lists of initiators in the conf and in a file of secrets. A name with characters that separate or quote words is in
 * quotation marks. A quotation may also contain several names, with spaces between them.
 */
import { splitWords, type Word } from "../base/quoted_words.ts";
import { foldIscsiName, initiatorNameProblem } from "./iscsi_name.ts";

/** The reason why a list or one of its entries cannot be used, as the end of a sentence. */
export interface ListProblem {
  /** Undefined when the problem is in the list as a whole. */
  readonly entry: string | undefined;
  readonly problem: string;
}

/** The spaces between two names of one quotation. No name contains the beginning of another one. */
const BETWEEN_NAMES = /\s+(?=(?:iqn|eui|naa)\.)/i;

/** Reads a list: folded names without duplicates, and all problems. */
export function readInitiatorNames(
  list: string,
): { readonly names: readonly string[]; readonly problems: readonly ListProblem[] } {
  const words = splitWords(list);
  if (words === undefined) {
    const problem = 'close the quotation marks, and write \\" and \\\\ for " and \\ within them';
    return { names: [], problems: [{ entry: undefined, problem }] };
  }
  const entries = words.flatMap(splitQuotation);
  if (words.some(hasComma) || entries.some((entry) => /[,;]$/.test(entry))) {
    const problem = 'separate the entries with spaces only; write a name with "," or ";" in quotation marks';
    return { names: [], problems: [{ entry: undefined, problem }] };
  }
  const folded = entries.map(foldIscsiName);
  const problems = folded.flatMap((name, index) => {
    const problem = initiatorNameProblem(name);
    if (problem === undefined) return [];
    const isPart = index > 0 && !/^(iqn|eui|naa)\./.test(name);
    const remedy = isPart ? "; write a name with spaces in quotation marks" : "";
    return [{ entry: entries[index]!, problem: problem + remedy }];
  });
  return { names: [...new Set(folded)], problems };
}

function splitQuotation({ text, isQuoted }: Word): readonly string[] {
  return isQuoted ? text.trim().split(BETWEEN_NAMES) : [text];
}

function hasComma({ text, isQuoted }: Word): boolean {
  return !isQuoted && /[,;]/.test(text);
}
