import { parseArgs } from "@std/cli/parse-args";
import { nearestWord } from "../config/nearest_word.ts";
import type { Command } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { type Option, type OptionName, OPTIONS, type OptionValues } from "./options.ts";

/** A parsed command line. */
export type CommandLine =
  | {
    readonly kind: "run";
    readonly command: Command;
    readonly options: OptionValues;
    readonly args: readonly string[];
  }
  /** Without a command: the help of the program. */
  | { readonly kind: "help"; readonly command: Command | undefined }
  | { readonly kind: "version" }
  /** A usage error; the command, if it is known, has the help that applies. */
  | { readonly kind: "wrong"; readonly problem: string; readonly command: Command | undefined };

const OPTION_ENTRIES = Object.entries(OPTIONS) as readonly (readonly [OptionName, Option])[];
/** Accepted without a command. */
const GLOBAL_OPTIONS: readonly OptionName[] = ["help", "version"];
const HELP = "help";

/** Parses the arguments of the process. The first word that is not an option is the command. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const unknownOptions: string[] = [];
  const parsed = parseArgs([...args], {
    boolean: OPTION_ENTRIES.filter(([, option]) => option.value === undefined).map(([, { flag }]) => flag),
    string: [
      ...OPTION_ENTRIES.filter(([, option]) => option.value !== undefined).map(([, { flag }]) => flag),
      "_",
    ],
    alias: Object.fromEntries(
      OPTION_ENTRIES.flatMap(([, { flag, short }]) => short === undefined ? [] : [[flag, short]]),
    ),
    unknown: (arg, key) => key === undefined || unknownOptions.push(arg) === 0,
  });
  const given: Readonly<Record<string, unknown>> = parsed;
  const words = parsed._.map(String);
  const wantsHelp = words[0] === HELP || given[OPTIONS.help.flag] === true;
  const [name, ...rest] = words[0] === HELP ? words.slice(1) : words;
  const command = COMMANDS.find((command) => command.name === name);
  const problem = commandProblem(name, command) ?? optionProblem(command, unknownOptions, given) ??
    valueProblem(args) ??
    argumentProblem(rest, wantsHelp ? undefined : command);
  if (problem !== undefined) return { kind: "wrong", problem, command };
  if (wantsHelp || args.length === 0) return { kind: "help", command };
  if (command !== undefined) return { kind: "run", command, options: optionValues(given), args: rest };
  if (given[OPTIONS.version.flag] === true) return { kind: "version" };
  return { kind: "wrong", problem: "Missing command", command };
}

function commandProblem(name: string | undefined, command: Command | undefined): string | undefined {
  if (name === undefined || name === HELP || command !== undefined) return undefined;
  const names = [...COMMANDS.map((command) => command.name), HELP];
  return `Unknown command "${name}"${suggest(name, names, "")}`;
}

function optionProblem(
  command: Command | undefined,
  unknownOptions: readonly string[],
  given: Readonly<Record<string, unknown>>,
): string | undefined {
  const allowed: readonly OptionName[] = command === undefined
    ? GLOBAL_OPTIONS
    : [...command.options, "help"];
  const [unknown] = unknownOptions;
  if (unknown !== undefined) {
    const flag = unknown.replace(/^-+/, "").replace(/=.*/s, "");
    return `Unknown option "${unknown}"${suggest(flag, allowed.map((name) => OPTIONS[name].flag), "--")}`;
  }
  for (const [name, { flag, value, choices, isValueOptional = false }] of OPTION_ENTRIES) {
    const isGiven = given[flag] !== undefined && given[flag] !== false;
    if (isGiven && !allowed.includes(name)) {
      return command === undefined
        ? `Option "--${flag}" needs a command`
        : `"${command.name}" has no option --${flag}`;
    }
    if (isGiven && value !== undefined && !isValueOptional && given[flag] === "") {
      return `Option "--${flag}" needs a ${value}`;
    }
    if (isGiven && choices !== undefined && !choices.includes(String(given[flag]))) {
      return `Option "--${flag}" cannot be "${given[flag]}": write one of ${choices.join(", ")}`;
    }
  }
  return undefined;
}

/** Refuses values of flags: `--yes=no` would otherwise mean `--yes`. */
function valueProblem(args: readonly string[]): string | undefined {
  const end = args.indexOf("--");
  for (const arg of end < 0 ? args : args.slice(0, end)) {
    const [, given] = /^(--[^=]+|-[^-=])=/s.exec(arg) ?? [];
    const isFlag = OPTION_ENTRIES.some(([, { flag, short, value }]) =>
      value === undefined && (given === `--${flag}` || given === `-${short}`)
    );
    if (isFlag) return `Option "${given}" takes no value`;
  }
  return undefined;
}

function argumentProblem(args: readonly string[], command: Command | undefined): string | undefined {
  const { min = 0, max = 0, syntax = "", words } = command?.arguments ?? {};
  const [first] = args;
  if (args.length < min) return `Command "${command!.name}" needs ${syntax}`;
  if (first !== undefined && words?.includes(first) === false) {
    return `Unexpected argument "${first}"${suggest(first, words, "") || `: write ${syntax}`}`;
  }
  const unexpected = args[max];
  if (unexpected === undefined) return undefined;
  const isConf = max === 0 && /[./]/.test(unexpected) && command?.options.includes("conf") === true;
  return `Unexpected argument "${unexpected}"${isConf ? ` (use --conf ${unexpected})` : ""}`;
}

function suggest(word: string, candidates: readonly string[], prefix: string): string {
  const nearest = nearestWord(word, candidates);
  return nearest === undefined ? "" : `: did you mean "${prefix}${nearest}"?`;
}

function optionValues(given: Readonly<Record<string, unknown>>): OptionValues {
  const entries = OPTION_ENTRIES.map(([name, { flag, default: absent }]) => [name, given[flag] ?? absent]);
  return Object.fromEntries(entries) as OptionValues;
}
