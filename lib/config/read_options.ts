import { replaceQuotations } from "../base/quoted_words.ts";
import { type Diagnostics, quote } from "./diagnostics.ts";
import type { Assignment } from "./ini_text.ts";
import { nearestWord } from "./nearest_word.ts";
import type { ValueReport } from "./option_values.ts";
import {
  isOptionName,
  type Option,
  OPTION_NAMES,
  type OptionName,
  OPTIONS,
  type OptionValue,
} from "./options.ts";

/** The part of the conf that contains an option. */
export type Place = "global" | "target";

/** The options in one part of the conf. */
export interface GivenOptions {
  /** The valid values. */
  readonly values: { readonly [Name in OptionName]?: OptionValue<Name> };
  /** The line of every option, with a valid value or not. */
  readonly lines: ReadonlyMap<OptionName, number>;
}

/** Reads the options of one part of the conf, and reports every invalid one. */
export function readOptions(
  assignments: readonly Assignment[],
  place: Place,
  diagnostics: Diagnostics,
): GivenOptions {
  const values: Partial<Record<OptionName, unknown>> = {};
  const lines = new Map<OptionName, number>();
  for (const { name, value, line } of assignments) {
    if (!isOptionName(name)) {
      reportUnknown({ name, line }, place, diagnostics);
      continue;
    }
    const option = OPTIONS[name];
    if (option.place !== "both" && option.place !== place) {
      diagnostics.error(line, misplacedOption(name, option.place));
      continue;
    }
    const firstLine = lines.get(name);
    if (firstLine !== undefined) {
      diagnostics.error(
        line,
        `Duplicate option "${name}": line ${firstLine} has it already; remove one of them`,
      );
      continue;
    }
    lines.set(name, line);
    const report = { ...diagnostics.at(line), option: name };
    const text = plainValue(value, place, report);
    if (text !== undefined) values[name] = option.read(text, report);
  }
  // Each value comes from the reader of its own row.
  return { values: values as GivenOptions["values"], lines };
}

/** Returns the default of an option whose default is a value. */
export function defaultOf<Name extends OptionName>(name: Name): OptionValue<Name> {
  const option: Option<unknown> = OPTIONS[name];
  if (!option.default || !("value" in option.default)) {
    throw new Error(`Option "${name}" has no default value`);
  }
  const report: ValueReport = {
    option: name,
    error(message): never {
      throw new Error(message);
    },
    warning(): void {},
  };
  return option.read(option.default.value, report) as OptionValue<Name>;
}

/** Returns a value without its quotation marks; undefined for one that contains something else by mistake. */
function plainValue(
  value: string,
  place: Place,
  report: ValueReport & { readonly option: OptionName },
): string | undefined {
  const option: Option<unknown> = OPTIONS[report.option];
  const quoted = /^(["'])(.*)\1$/s.exec(value);
  const content = (quoted?.[2] ?? value).trim();
  const text = option.quotesEntries && content !== "" ? value : content;
  if (text === "") {
    report.error(`Missing value of "${report.option}": ${remedyForEmpty(OPTIONS[report.option], place)}`);
    return undefined;
  }
  // A comment may contain anything, and so may a value in quotation marks.
  const isFree = report.option === "comment" || (quoted !== null && !option.quotesEntries);
  const problem = isFree ? undefined : mixedValueProblem(option.quotesEntries ? unquoted(text) : text);
  const shown = option.isSecret ? report.option : `${report.option} ${quote(text)}`;
  if (problem !== undefined) report.error(`Cannot read ${shown}: ${problem}`);
  return problem === undefined ? text : undefined;
}

/** Replaces the quoted entries of a list. */
function unquoted(list: string): string {
  return replaceQuotations(list, "entry");
}

/** Returns the remedy for a value that contains something else by mistake. */
function mixedValueProblem(text: string): string | undefined {
  if (/^["']/.test(text)) return "close the quotation marks, or remove them";
  if (/\s([#;]|\/\/)/.test(text)) return "write the comment on a line of its own";
  const second = /\s(\w+)\s*=/.exec(text)?.[1];
  return second !== undefined && isOptionName(second) ? `write "${second}" on a line of its own` : undefined;
}

function remedyForEmpty(option: Option<unknown>, place: Place): string {
  if (option.default === undefined) return "write a size for each LUN, such as 750GB";
  const meaning = "value" in option.default ? `the default, ${option.default.value}` : option.default.meaning;
  const inherited = place === "target" && option.place === "both";
  return `write one, or remove the line for ${inherited ? "the global value" : meaning}`;
}

/** Reports an unknown option. The list of valid ones is written once for each place, because it is long. */
function reportUnknown(
  { name, line }: Pick<Assignment, "name" | "line">,
  place: Place,
  diagnostics: Diagnostics,
): void {
  const nearest = nearestWord(name, OPTION_NAMES);
  if (nearest !== undefined) {
    diagnostics.error(line, `Unknown option ${quote(name)}: did you mean "${nearest}"?`);
    return;
  }
  const valid = OPTION_NAMES.filter((name) =>
    OPTIONS[name].place === place || OPTIONS[name].place === "both"
  );
  const listLine = diagnostics.lineThatExplains(`valid ${place} options`, line);
  const list = listLine === line
    ? `valid here: ${valid.join(", ")}`
    : `line ${listLine} lists the valid ones`;
  diagnostics.error(line, `Unknown option ${quote(name)}: ${list}`);
}

function misplacedOption(name: OptionName, place: Place): string {
  return place === "global"
    ? `Option "${name}" is for the whole server: move it above the first section`
    : `Option "${name}" is for one target: move it below the target's "[NAME]" line`;
}
