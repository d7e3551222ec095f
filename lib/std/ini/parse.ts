/** Makes the value of an assignment from its text, already converted as `parse` does without a reviver. */
export type ReviverFunction = (
  key: string,
  value: string | number | boolean | null,
  section?: string,
) => unknown;

/** Options of `parse`. */
export interface ParseOptions {
  /** Called for every assignment, in the order of the text; what it returns becomes the value. */
  reviver?: ReviverFunction;
}

const WORDS: ReadonlyMap<string, boolean | null> = new Map([["null", null], ["true", true], [
  "false",
  false,
]]);

/** Quoted text stays text; `null`, `true`, `false` and numbers become what they say, and nothing becomes 0. */
function convert(text: string): string | number | boolean | null {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  if (text.length >= 2 && text.startsWith('"') && text.endsWith('"')) return text.slice(1, -1);
  const number = Number(text);
  return Number.isNaN(number) ? text : number;
}

function isComment(line: string): boolean {
  return line.startsWith("#") || line.startsWith(";") || line.startsWith("//");
}

/** Defines rather than assigns, so that a key named `__proto__` is a key like any other. */
function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

function sectionName(line: string, lineNumber: number): string {
  if (!line.endsWith("]")) throw new SyntaxError(`Unexpected end of INI section at line ${lineNumber}`);
  const name = line.slice(1, -1);
  if (name.trim() === "") throw new SyntaxError(`Unexpected empty section name at line ${lineNumber}`);
  return name;
}

function splitAssignment(line: string, lineNumber: number): { key: string; text: string } {
  const equals = line.indexOf("=");
  if (equals < 0) throw new SyntaxError(`Unexpected token ${line[0]} in INI at line ${lineNumber}`);
  if (equals === 0) throw new SyntaxError(`Unexpected empty key name at line ${lineNumber}`);
  return { key: line.slice(0, equals).trimEnd(), text: line.slice(equals + 1).trimStart() };
}

/**
 * TimeSlices INI text into an object: assignments before the first section become its properties, and each section one
 * property, an object of its own. Of two assignments or sections of one name, the later stands.
 *
 * @throws {SyntaxError} at a line that is no comment, section header or assignment
 */
export function parse<T extends object>(text: string, options: ParseOptions = {}): T {
  const root = {} as T;
  let target: object = root;
  let section: string | undefined;
  for (const [index, untrimmed] of text.split(/\r\n|\r|\n/).entries()) {
    const line = untrimmed.trim();
    if (line === "" || isComment(line)) continue;
    if (line.startsWith("[")) {
      section = sectionName(line, index + 1);
      target = {};
      define(root, section, target);
      continue;
    }
    const { key, text } = splitAssignment(line, index + 1);
    const value = convert(text);
    define(target, key, options.reviver ? options.reviver(key, value, section) : value);
  }
  return root;
}
