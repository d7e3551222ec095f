/**
 * The requirement matrix as data: `rfc7143.md` has one table row for each requirement.
 */

/** A test, by its file and its name as it stands there. */
export interface TestReference {
  readonly file: string;
  readonly name: string;
}

/** A row of the matrix. */
export interface Requirement {
  /** Section and a number within it: `4.2.2.1-3`. */
  readonly id: string;
  readonly text: string;
  /** Files that honour it; none where it does not apply. */
  readonly files: readonly string[];
  readonly tests: readonly TestReference[];
  /** The reason for not applying. */
  readonly reason: string | undefined;
}

const ID = /^(\d+(\.\d+)*|[A-Z]|7144-\d+(\.\d+)*|3720-[A-Z])-\d+$/;
const FILES = /^`[^`"]+\.ts`(, `[^`"]+\.ts`)*$/;
const TEST = /^`([^`"]+_test\.ts)` "([^`]+)"$/;

function isRule(line: string): boolean {
  return /^\| (requirement|-+) +\|/.test(line);
}

/**
 * Reads a row of a table.
 *
 * @throws {SyntaxError} when it is malformed
 */
function readRow(line: string): Requirement {
  const cells = line.split("|").map((cell) => cell.trim());
  const [start, id = "", text = "", files = "", shown = "", end, ...rest] = cells;
  const isRow = start === "" && end === "" && rest.length === 0 && ID.test(id) && text !== "";
  if (!isRow) throw new SyntaxError(`Row is malformed: ${line}`);
  if (files === "not applicable") {
    if (shown === "" || shown.includes("`")) throw new SyntaxError(`Row gives no reason: ${line}`);
    return { id, text, files: [], tests: [], reason: shown };
  }
  if (!FILES.test(files)) throw new SyntaxError(`Row names no file: ${line}`);
  const tests = shown.split(/; (?=`)/).map((reference) => {
    const [, file, name] = TEST.exec(reference) ?? [];
    if (file === undefined || name === undefined) throw new SyntaxError(`Row names no test: ${line}`);
    return { file, name };
  });
  return { id, text, files: files.split(", ").map((file) => file.slice(1, -1)), tests, reason: undefined };
}

/**
 * Reads the matrix.
 *
 * @throws {SyntaxError} when a row is malformed
 */
export function readRequirements(markdown: string): Requirement[] {
  return markdown.split("\n").filter((line) => line.startsWith("|") && !isRule(line)).map(readRow);
}

/** Returns the names of the tests in the text of a file, as written: `${...}` is not replaced. */
export function namesOfTests(source: string): Set<string> {
  const calls = source.matchAll(/\b\w*[tT]est\w*\(\s*(["`])((?:(?!\1).)+)\1/g);
  return new Set(calls.map(([, , name = ""]) => name));
}
