/**
 * A file of secrets: one `NAME SECRET` per line, followed by the iSCSI names of the initiators that may use it, if not
 * all may. Messages repeat no text of the file, because a misplaced word may be a secret.
 */
import { type Account, chapNameProblem } from "./chap.ts";
import type { Diagnostics } from "./diagnostics.ts";
import { readInitiatorNames } from "./initiator_list.ts";
import { readSecretText } from "./secret.ts";

/** The most names in one file. */
const NAMES_MAX = 10_000;

/** Parses the accounts of a file. Lines with a problem are reported and left out. */
export function parseSecretsFile(text: string, diagnostics: Diagnostics): readonly Account[] {
  const lineOf = new Map<string, number>();
  const list: Account[] = [];
  for (const [index, raw] of text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/).entries()) {
    const line = index + 1;
    const content = raw.trim();
    if (content === "" || content.startsWith("#")) continue;
    if (lineOf.size === NAMES_MAX) {
      diagnostics.error(line, `Too many names: a file can have at most ${NAMES_MAX}`);
      break;
    }
    if (/^(;|\/\/)/.test(content)) {
      diagnostics.error(line, 'Cannot use the name: begin a comment with "#", in this file');
      continue;
    }
    const account = readLine(content, diagnostics, line);
    if (account === undefined) continue;
    const before = lineOf.get(account.name);
    if (before !== undefined) {
      diagnostics.error(line, `Duplicate name: line ${before} has it already; remove one of them`);
      continue;
    }
    lineOf.set(account.name, line);
    list.push(account);
  }
  if (list.length === 0 && !diagnostics.hasErrors) {
    diagnostics.error(1, "File has no secret: write one NAME SECRET per line");
  }
  return list;
}

function readLine(content: string, diagnostics: Diagnostics, line: number): Account | undefined {
  const [, name = "", text, list = ""] = /^(\S+)(?:\s+(\S+)(.*))?$/s.exec(content) ?? [];
  if (text === undefined) {
    diagnostics.error(line, "Missing secret: write NAME SECRET, with a space between them");
    return undefined;
  }
  const { names: initiators, problems } = readInitiatorNames(list);
  if (problems.length > 0) {
    const remedy = "write only iSCSI names there (one with spaces in quotation marks), " +
      "and NAME and SECRET without spaces";
    diagnostics.error(line, `Cannot use the text after the secret: ${remedy}`);
    return undefined;
  }
  const nameProblem = chapNameProblem(name);
  const { secret, problem, doubt } = readSecretText(text);
  if (nameProblem !== undefined) diagnostics.error(line, `Cannot use the name: ${nameProblem}`);
  if (problem !== undefined) diagnostics.error(line, `Cannot use the secret: ${problem}`);
  if (doubt !== undefined) diagnostics.warning(line, `The secret ${doubt}`);
  return nameProblem === undefined && secret !== undefined ? { name, secret, initiators } : undefined;
}
