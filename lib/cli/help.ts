import type { Command } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { EXIT_CODES } from "./exit_code.ts";
import { type Option, type OptionName, OPTIONS, optionSyntax, optionTerm } from "./options.ts";
import { fillLines, LINE_COLUMNS_MAX, wrapWords } from "./wrap_words.ts";

/** Returns the help text of the program. */
export function programHelp(version: string): string {
  return [
    `iscsi ${version}: an iSCSI target in one executable`,
    "",
    "Usage: iscsi COMMAND [OPTION]...",
    "",
    "Commands:",
    ...columns([
      ...COMMANDS.map(({ name, summary }): Row => [name, summary]),
      ["help", "print this, or the help of a COMMAND"],
    ]),
    "",
    "Options:",
    ...columns([optionRow("help"), optionRow("version")]),
    "",
    ...exitCodes(),
    "",
  ].join("\n");
}

/** Returns the help text of a command. */
export function commandHelp(command: Command): string {
  const options = command.options.map((name) => `[${optionSyntax(OPTIONS[name])}]`);
  const synopsis = command.arguments === undefined ? options : [command.arguments.syntax, ...options];
  return [
    `iscsi ${command.name}: ${command.summary}`,
    "",
    ...usage(["iscsi", command.name, ...synopsis]),
    ...command.description.flatMap((paragraph) => ["", ...wrapWords(paragraph, LINE_COLUMNS_MAX)]),
    "",
    "Options:",
    ...columns([...command.options, "help" as const].map(optionRow)),
    "",
    ...exitCodes(),
    "",
  ].join("\n");
}

function usage(parts: readonly string[]): string[] {
  const heading = "Usage: ";
  return fillLines(parts, LINE_COLUMNS_MAX - heading.length).map((line, index) =>
    (index === 0 ? heading : " ".repeat(heading.length)) + line
  );
}

type Row = readonly [term: string, meaning: string];

function optionRow(name: OptionName): Row {
  const option: Option = OPTIONS[name];
  const absent = option.default === undefined ? "" : ` (default ${option.default})`;
  return [optionTerm(option), option.summary + absent];
}

function exitCodes(): string[] {
  const rows = Object.values(EXIT_CODES).map(({ code, meaning }): Row => [String(code), meaning]);
  return ["Exit codes:", ...columns(rows)];
}

function columns(rows: readonly Row[]): string[] {
  const width = Math.max(...rows.map(([term]) => term.length));
  return rows.map(([term, meaning]) => `  ${term.padEnd(width)}  ${meaning}`);
}
