/**
 * A file of secrets: one `NAME SECRET` a line. No message repeats anything of it, since what stands in the wrong place
 * may be a secret.
 */
import type { Credentials } from "./chap.ts";
import type { Diagnostics } from "./diagnostics.ts";
import { chapNameProblem } from "./chap_name.ts";
import { readSecretText } from "./secret.ts";

/** Most names of one file. */
const NAMES_MAX = 10_000;

/** The credentials of a file, by name; what is wrong with a line is reported, and the line left out. */
export function parseSecretsFile(text: string, diagnostics: Diagnostics): readonly Credentials[] {
  const lineOf = new Map<string, number>();
  const list: Credentials[] = [];
  for (const [index, raw] of text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/).entries()) {
    const line = index + 1;
    const content = raw.trim();
    if (content === "" || content.startsWith("#")) continue;
    if (lineOf.size === NAMES_MAX) {
      diagnostics.error(line, `Too many names: write at most ${NAMES_MAX} into a file`);
      break;
    }
    const credentials = readLine(content, diagnostics, line);
    if (credentials === undefined) continue;
    const before = lineOf.get(credentials.name);
    if (before !== undefined) {
      diagnostics.error(line, `Duplicate name: line ${before} has it already; remove one of them`);
      continue;
    }
    lineOf.set(credentials.name, line);
    list.push(credentials);
  }
  if (list.length === 0 && !diagnostics.hasErrors) {
    diagnostics.error(1, "File has no secret: write one NAME SECRET a line");
  }
  return list;
}

function readLine(content: string, diagnostics: Diagnostics, line: number): Credentials | undefined {
  const [name = "", text, ...more] = content.split(/\s+/);
  if (text === undefined) {
    diagnostics.error(line, "Missing secret: write NAME SECRET, with a space between them");
    return undefined;
  }
  if (more.length > 0) {
    diagnostics.error(
      line,
      "Too many words: write NAME SECRET, neither with a space in it, and nothing else",
    );
    return undefined;
  }
  const nameProblem = chapNameProblem(name);
  const { secret, problem, doubt } = readSecretText(text);
  if (nameProblem !== undefined) diagnostics.error(line, `Cannot use the name: ${nameProblem}`);
  if (problem !== undefined) diagnostics.error(line, `Cannot use the secret: ${problem}`);
  if (doubt !== undefined) diagnostics.warning(line, `The secret is long: ${doubt}`);
  return nameProblem === undefined && secret !== undefined ? { name, secret } : undefined;
}
