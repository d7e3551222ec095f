/**
 * The conf as lines, sections and assignments, whatever their names.
 *
 * `@std/ini` converts values (`007` to 7, nothing to 0), keeps only the last of two equal keys, throws at the first
 * line that it cannot read, and reports no line numbers. So every line is checked and rewritten before `parse`: a
 * section is named by the line of its header, and a value is quoted, with its line number before it. The reviver then
 * gets every assignment with its section, its line and its text as written.
 */
import { parse } from "@std/ini";
import { type Diagnostics, quote } from "./diagnostics.ts";

/** One `NAME = VALUE`. */
export interface Assignment {
  readonly name: string;
  /** As written, without white space around it. */
  readonly value: string;
  readonly line: number;
}

/** A section header and the assignments up to the next header. */
export interface IniSection {
  /** Undefined when the header is wrong, which has been reported. */
  readonly name: string | undefined;
  /** The line of the header. */
  readonly line: number;
  readonly assignments: readonly Assignment[];
}

/** The content of a file. */
export interface IniText {
  /** The assignments above the first section. */
  readonly globals: readonly Assignment[];
  /** In the order of the file; names may be equal. */
  readonly sections: readonly IniSection[];
}

/** Splits a file into sections and assignments. Lines that it cannot read are reported and left out. */
export function readIniText(text: string, diagnostics: Diagnostics): IniText {
  const globals: Assignment[] = [];
  const sections = new Map<string, { name: string | undefined; line: number; assignments: Assignment[] }>();
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/).map((raw, index) => {
    const line = index + 1;
    const content = withoutControlCharacters(raw, line, diagnostics).trim();
    if (/^(#|;|\/\/|$)/.test(content)) return "";
    // The decoder's replacement for bytes that are not UTF-8. They do no harm in a comment.
    if (content.includes("\ufffd")) {
      diagnostics.error(line, "Cannot read this line: it is not UTF-8; save the file in that encoding");
    }
    if (!content.startsWith("[")) return annotateAssignment(content, line, diagnostics);
    sections.set(String(line), { name: readHeader(content, line, diagnostics), line, assignments: [] });
    return `[${line}]`;
  });
  parse(lines.join("\n"), {
    reviver(name, annotated, section): void {
      const assignments = section === undefined ? globals : sections.get(section)!.assignments;
      assignments.push({ name, ...readAnnotation(String(annotated)) });
    },
  });
  return { globals, sections: [...sections.values()] };
}

function withoutControlCharacters(text: string, line: number, diagnostics: Diagnostics): string {
  const pattern = /[^\P{Cc}\t]|[\p{Zl}\p{Zp}]/gu;
  const first = pattern.exec(text)?.[0];
  if (first === undefined) return text;
  const codePoint = first.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
  diagnostics.error(line, `Cannot read control character U+${codePoint}: remove it`);
  return text.replaceAll(pattern, "");
}

function readHeader(content: string, line: number, diagnostics: Diagnostics): string | undefined {
  const name = /^\[([^[\]]*)\]$/.exec(content)?.[1]?.trim();
  if (name === undefined) {
    const remedy = 'write "[NAME]", and nothing else on the line';
    diagnostics.error(line, `Cannot read section header ${quote(content)}: ${remedy}`);
  } else if (name === "") {
    diagnostics.error(line, `Missing name in section header ${quote(content)}: write the name of a target`);
  }
  return name === "" ? undefined : name;
}

/** Rewrites an assignment for `parse`; returns an empty line for one that cannot be read. */
function annotateAssignment(content: string, line: number, diagnostics: Diagnostics): string {
  const equals = content.indexOf("=");
  if (equals < 0) {
    // The message does not repeat the line, which may be a secret alone.
    diagnostics.error(line, 'Missing "=": write "NAME = VALUE"');
    return "";
  }
  if (equals === 0) {
    diagnostics.error(line, 'Missing name before "=": write "NAME = VALUE"');
    return "";
  }
  const name = content.slice(0, equals).trim();
  const value = content.slice(equals + 1).trim();
  // The last "=" separates a quotation mark of the value from the added one, in case `parse` keeps that.
  return `${name}="${line}=${value}="`;
}

function readAnnotation(annotated: string): { value: string; line: number } {
  const [, line, value] = /^"?(\d+)=(.*)="?$/s.exec(annotated)!;
  return { value: value!, line: Number(line) };
}
