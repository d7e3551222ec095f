/**
 * The small rules that keep every file of this repository readable by a stranger.
 */
import type { SourceFile } from "./source_tree.ts";
import { findLanguageFaults } from "./language.ts";
import { type Finding, readSyntax, type Syntax } from "./syntax.ts";

const LINE_LENGTH_MAX = 120;
const FUNCTION_LENGTH_LINES_MAX = 70;
const FILE_LENGTH_LINES_MAX = 400;

/** Files of `lib` that may be longer: tables, which readers search and do not read through. */
const TABLES: readonly string[] = [];

/** Patterns that comments must not contain, each with its fault. */
const BANNED_IN_COMMENTS: readonly (readonly [RegExp, string])[] = [
  [/\b(?:TODO|FIXME|XXX|HACK)\b/, "do it, or file it where work is filed"],
  [
    /(?:^|[^&\w])#\d+\b|\bissues?[ /]#?\d+\b|\bPR[ #]\d+\b/i,
    "a number from a tracker means nothing to a stranger",
  ],
];

/** Upstream's type declarations are not ours to format. */
function isForeign(path: string): boolean {
  return path.startsWith("lib/std/") && path.endsWith(".d.ts");
}

function* lineFaults(text: string): Generator<Finding> {
  for (const [index, line] of text.split("\n").entries()) {
    if (line.length > LINE_LENGTH_MAX) {
      yield { line: index + 1, text: `${line.length} characters, of at most ${LINE_LENGTH_MAX}` };
    }
    const foreign = line.match(/[^\x20-\x7e]/);
    if (foreign !== null) {
      yield { line: index + 1, text: `character ${foreign[0].codePointAt(0)!.toString(16)}h is not ASCII` };
    }
  }
}

function* commentFaults(comments: readonly Finding[]): Generator<Finding> {
  for (const comment of comments) {
    for (const [pattern, reason] of BANNED_IN_COMMENTS) {
      const match = comment.text.match(pattern);
      if (match !== null) yield { line: comment.line, text: `"${match[0].trim()}" in a comment: ${reason}` };
    }
  }
}

function* proseFaults(path: string, { comments, texts }: Syntax): Generator<Finding> {
  for (const { line, text } of comments) {
    yield* findLanguageFaults({ line, text: text.replace(/^\*/, ""), isDocstring: text.startsWith("*") });
  }
  // Tests quote what initiators and other programs say.
  if (!path.startsWith("lib/")) return;
  for (const { line, text } of texts) yield* findLanguageFaults({ line, text, isDocstring: false });
}

function* lengthFaults({ path, text }: SourceFile): Generator<Finding> {
  const lines = text.split("\n").length - 1;
  if (!path.startsWith("lib/") || TABLES.includes(path) || lines <= FILE_LENGTH_LINES_MAX) return;
  yield { line: 1, text: `${lines} lines, of at most ${FILE_LENGTH_LINES_MAX}` };
}

/** Returns the faults of a file. */
export function findFaults(file: SourceFile): Finding[] {
  if (isForeign(file.path)) return [];
  const syntax = readSyntax(file);
  const faults = [
    ...lineFaults(file.text),
    ...lengthFaults(file),
    ...commentFaults(syntax.comments),
    ...proseFaults(file.path, syntax),
    ...syntax.unwelcome,
  ];
  if (!/^[a-z0-9_]+(?:\.d)?\.ts$/.test(file.path.split("/").at(-1)!)) {
    faults.push({ line: 1, text: "the file's name is not in snake_case" });
  }
  for (const { line, text, lengthLines } of syntax.functions) {
    if (lengthLines > FUNCTION_LENGTH_LINES_MAX) {
      faults.push({
        line,
        text: `${text} has ${lengthLines} lines, of at most ${FUNCTION_LENGTH_LINES_MAX}`,
      });
    }
  }
  return [
    ...faults,
    ...syntax.undocumented.map(({ line, text }) => ({ line, text: `${text} has no docstring` })),
  ];
}
