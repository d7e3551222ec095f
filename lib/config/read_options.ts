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

/** The part of the conf in which an option stands. */
export type Place = "global" | "target";

/** The options that one part of the conf gives. */
export interface GivenOptions {
  /** Those whose values are good. */
  readonly values: { readonly [Name in OptionName]?: OptionValue<Name> };
  /** The line of every option given, be its value good or not. */
  readonly lines: ReadonlyMap<OptionName, number>;
}

/** Reads the options of one part of the conf, and reports every one that is not as it should be. */
export function readOptions(
  assignments: readonly Assignment[],
  place: Place,
  diagnostics: Diagnostics,
): GivenOptions {
  const values: Partial<Record<OptionName, unknown>> = {};
  const lines = new Map<OptionName, number>();
  for (const { name, value, line } of assignments) {
    if (!isOptionName(name)) {
      diagnostics.error(line, unknownOption(name, place));
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

/** The value of an option that is not given. Only for options whose default is a value. */
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

/** The value without the quotation marks around it; undefined when it cannot be what was meant. */
function plainValue(
  value: string,
  place: Place,
  report: ValueReport & { readonly option: OptionName },
): string | undefined {
  const quoted = /^(["'])(.*)\1$/s.exec(value);
  const text = (quoted?.[2] ?? value).trim();
  if (text === "") {
    report.error(`Missing value of "${report.option}": ${remedyForEmpty(OPTIONS[report.option], place)}`);
    return undefined;
  }
  // Free text may contain anything, and quotation marks say that a value is meant as it is.
  const problem = quoted || report.option === "comment" ? undefined : mixedValueProblem(text);
  const option: Option<unknown> = OPTIONS[report.option];
  const shown = option.isSecret ? report.option : `${report.option} ${quote(text)}`;
  if (problem !== undefined) report.error(`Cannot read ${shown}: ${problem}`);
  return problem === undefined ? text : undefined;
}

/** What a value contains that belongs elsewhere. */
function mixedValueProblem(text: string): string | undefined {
  if (/^["']/.test(text)) return "close the quotation marks, or remove them";
  if (/\s[#;]/.test(text)) return "write the comment on a line of its own";
  const second = /\s(\w+)\s*=/.exec(text)?.[1];
  return second !== undefined && isOptionName(second) ? `write "${second}" on a line of its own` : undefined;
}

function remedyForEmpty(option: Option<unknown>, place: Place): string {
  if (option.default === undefined) return "write a size for each LUN, such as 750GB";
  const meaning = "value" in option.default ? `the default, ${option.default.value}` : option.default.meaning;
  const inherited = place === "target" && option.place === "both";
  return `write one, or remove the line to have ${inherited ? "the global value" : meaning}`;
}

function unknownOption(name: string, place: Place): string {
  const nearest = nearestWord(name, OPTION_NAMES);
  if (nearest !== undefined) return `Unknown option ${quote(name)}: did you mean "${nearest}"?`;
  const known = OPTION_NAMES.filter((name) =>
    OPTIONS[name].place === place || OPTIONS[name].place === "both"
  );
  return `Unknown option ${quote(name)}: known here are ${known.join(", ")}`;
}

function misplacedOption(name: OptionName, place: Place): string {
  return place === "global"
    ? `Option "${name}" is for the whole server: move it above the first section`
    : `Option "${name}" is for one target: move it below the target's "[NAME]" line`;
}
