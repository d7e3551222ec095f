/** A small fault: one stretch of a file, replaced. */
export interface Mutant {
  /** From the root of the repository. */
  readonly path: string;
  /** Counted from 1. */
  readonly line: number;
  /** The name of the operator that made it. */
  readonly operator: string;
  /** Offsets in the text of the file. */
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
  /** The lines that it changes, without the space around them, before and after. */
  readonly before: string;
  readonly after: string;
}

/** An edit of a text, as an operator proposes it. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
}

/** Returns the text of a file with a fault in it. */
export function applyEdit(text: string, { start, end, replacement }: Edit): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

/** Makes a mutant of an edit. */
export function toMutant(path: string, text: string, operator: string, edit: Edit): Mutant {
  const lineStart = text.lastIndexOf("\n", edit.start - 1) + 1;
  const newline = text.indexOf("\n", edit.end);
  const lineEnd = newline < 0 ? text.length : newline;
  return {
    path,
    line: text.slice(0, edit.start).split("\n").length,
    operator,
    ...edit,
    before: oneLine(text.slice(lineStart, lineEnd)),
    after: oneLine(text.slice(lineStart, edit.start) + edit.replacement + text.slice(edit.end, lineEnd)),
  };
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

/** Returns a mutant as a person reads it: the place, and the change as a diff. */
export function formatMutant({ path, line, operator, before, after }: Mutant): string {
  return `${path}:${line} (${operator})\n  - ${before}\n  + ${after}`;
}

/** Returns what names a mutant in lists, whatever line it is on. */
export function nameOf({ path, before, after }: Pick<Mutant, "path" | "before" | "after">): string {
  return `${path}\n- ${before}\n+ ${after}`;
}
