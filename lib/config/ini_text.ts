/**
 * The conf as lines, sections and assignments, before anything is known of options.
 *
 * `@std/ini` converts values (`007` to 7, nothing to 0), keeps only the last of two equal keys and throws at the
 * first line that it cannot read, without a word on where a value stood. So every line is checked here first, and
 * rewritten so that nothing gets lost on the way through `parse`: a section is named after the line of its header,
 * and a value goes in quotes, with its line number before it. Then the reviver sees every assignment with its
 * section, its line and its text as written.
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

/** A section header and the assignments up to the next. */
export interface IniSection {
  /** Undefined when the header cannot be read, which has been reported. */
  readonly name: string | undefined;
  /** Line of the header. */
  readonly line: number;
  readonly assignments: readonly Assignment[];
}

/** A whole file. */
export interface IniText {
  /** The assignments above the first section. */
  readonly globals: readonly Assignment[];
  /** In the order of the file; names may be equal. */
  readonly sections: readonly IniSection[];
}

/** Takes a file apart. Lines that cannot be read are reported and left out. */
export function readIniText(text: string, diagnostics: Diagnostics): IniText {
  const globals: Assignment[] = [];
  const sections = new Map<string, { name: string | undefined; line: number; assignments: Assignment[] }>();
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/).map((raw, index) => {
    const line = index + 1;
    const content = withoutControlCharacters(raw, line, diagnostics).trim();
    if (/^(#|;|\/\/|$)/.test(content)) return "";
    // What a decoder puts in place of bytes that it cannot read; in a remark they do no harm.
    if (content.includes("\ufffd")) {
      diagnostics.error(line, "Cannot read what is not UTF-8: save the file in that encoding");
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

/** The assignment as `parse` is to see it, or an empty line. */
function annotateAssignment(content: string, line: number, diagnostics: Diagnostics): string {
  const equals = content.indexOf("=");
  if (equals < 0) {
    // The line is not repeated: a secret may stand on it alone.
    diagnostics.error(line, 'Missing "=": write "NAME = VALUE"');
    return "";
  }
  if (equals === 0) {
    diagnostics.error(line, 'Missing name before "=": write "NAME = VALUE"');
    return "";
  }
  const name = content.slice(0, equals).trim();
  const value = content.slice(equals + 1).trim();
  // The last "=" tells a quotation mark of the value from the annotation's, should `parse` leave that in place.
  return `${name}="${line}=${value}="`;
}

function readAnnotation(annotated: string): { value: string; line: number } {
  const [, line, value] = /^"?(\d+)=(.*)="?$/s.exec(annotated)!;
  return { value: value!, line: Number(line) };
}
