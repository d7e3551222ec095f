/** The command lines of `deno task bench` and `deno task growth`. */
import { parseArgs } from "@std/cli/parse-args";

/** An option of a program. */
export interface Option {
  /** The placeholder of its value, such as `N`; undefined for a flag. */
  readonly value?: string;
  readonly help: string;
  /** The default value. */
  readonly default?: string;
  /** Returns the words for a correct value when this one is wrong; undefined when it is right. */
  readonly check?: (value: string) => string | undefined;
}

/** The options that there are, by name. */
export type Options = Readonly<Record<string, Option>>;

/** The values of options: text for an option with a value, a boolean for a flag. */
export type Values<Table extends Options> = {
  readonly [Name in keyof Table]: Table[Name] extends { readonly value: string } ? string : boolean;
};

/** The result of a command line: values, text to print, or an error. */
export type CommandLine<Table extends Options> =
  | { readonly kind: "values"; readonly values: Values<Table> }
  | { readonly kind: "help" | "wrong"; readonly text: string };

/** Checks for a number from 1. */
export function checkCount(value: string): string | undefined {
  return /^[1-9]\d{0,5}$/.test(value) ? undefined : "a whole number from 1";
}

/** Checks for a time that is not zero. */
export function checkSeconds(value: string): string | undefined {
  return Number(value) > 0 && Number(value) <= 3600 ? undefined : "a number of seconds above 0";
}

/** Checks for a regular expression. */
export function checkPattern(value: string): string | undefined {
  try {
    new RegExp(value, "i");
    return undefined;
  } catch {
    return "a regular expression";
  }
}

/** Takes a command line apart. */
export function parseOptions<Table extends Options>(
  usage: string,
  table: Table,
  args: readonly string[],
): CommandLine<Table> {
  const unknown: string[] = [];
  const names = Object.keys(table);
  const parsed: Readonly<Record<string, unknown>> = parseArgs(
    // `deno task` passes on the "--" that some put before a task's own options.
    args.filter((argument) => argument !== "--"),
    {
      boolean: ["help", ...names.filter((name) => table[name]!.value === undefined)],
      string: names.filter((name) => table[name]!.value !== undefined),
      default: Object.fromEntries(names.map((name) => [name, table[name]!.default ?? false])),
      unknown: (argument) => unknown.push(argument) === 0,
    },
  );
  const list = describe(usage, table);
  if (parsed["help"] === true) return { kind: "help", text: list };
  if (unknown.length > 0) return { kind: "wrong", text: `Unknown option "${unknown[0]}"\n\n${list}` };
  for (const name of names) {
    const { value, check = () => undefined } = table[name]!;
    const remedy = value === undefined ? undefined : check(String(parsed[name]));
    if (remedy !== undefined) {
      return { kind: "wrong", text: `Cannot use --${name} "${parsed[name]}": write ${remedy}\n` };
    }
  }
  return { kind: "values", values: parsed as Values<Table> };
}

/** Returns the values of this process's command line; prints help or an error and ends the process. */
export function readOptions<Table extends Options>(usage: string, table: Table): Values<Table> {
  const line = parseOptions(usage, table, Deno.args);
  if (line.kind === "values") return line.values;
  const stream = line.kind === "help" ? Deno.stdout : Deno.stderr;
  stream.writeSync(new TextEncoder().encode(line.text));
  Deno.exit(line.kind === "help" ? 0 : 2);
}

function describe(usage: string, table: Options): string {
  const rows = Object.entries({ ...table, help: { help: "print this and do nothing" } }).map(
    ([name, option]: [string, Option]): [string, string] => [
      option.value === undefined ? `--${name}` : `--${name} ${option.value}`,
      option.default === undefined ? option.help : `${option.help} (${option.default})`,
    ],
  );
  const width = Math.max(...rows.map(([flag]) => flag.length));
  return `Usage: ${usage}\n\n${rows.map(([flag, help]) => `  ${flag.padEnd(width)}  ${help}\n`).join("")}`;
}
