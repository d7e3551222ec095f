import { DEFAULT_CONF_FILE } from "../config/config.ts";
import { LOG_LEVELS } from "../iscsi/events/event_log.ts";
import { INIT_SYSTEMS } from "./init_system.ts";
import { LOG_FORMAT_NAMES } from "./log_format.ts";

/** One option of the command line. */
export interface Option {
  /** The name on the command line, without the dashes. */
  readonly flag: string;
  /** The letter that stands for the name. */
  readonly short?: string;
  /** The placeholder of the value; undefined when the option takes none. */
  readonly value?: string;
  /** The value may be omitted. */
  readonly isValueOptional?: boolean;
  readonly default?: string;
  /** The choices of the value, if it is one of a few words. */
  readonly choices?: readonly string[];
  readonly summary: string;
}

/** Every option of every command. */
export const OPTIONS = {
  conf: {
    flag: "conf",
    short: "c",
    value: "FILE",
    default: DEFAULT_CONF_FILE,
    summary: "the conf",
  },
  storage: {
    flag: "storage",
    value: "FOLDER",
    summary: "the server's folder, if the conf names another",
  },
  force: {
    flag: "force",
    summary: "even end sessions, drop all targets, replace lost disks",
  },
  dryRun: { flag: "dry-run", short: "n", summary: "print the plan, and change nothing" },
  watch: {
    flag: "watch",
    short: "w",
    value: "SECONDS",
    isValueOptional: true,
    summary: "repeat it, every 2 seconds by default",
  },
  wait: {
    flag: "wait",
    value: "SECONDS",
    isValueOptional: true,
    summary: "wait until the server is ready; unlimited by default",
  },
  probe: { flag: "probe", summary: "begin a login at every portal: is it answered?" },
  now: { flag: "now", summary: "cut at once, without asking initiators to log out first" },
  rate: { flag: "rate", value: "SIZE", summary: "at most this much in a second, such as 50MB" },
  hex: { flag: "hex", summary: "128 bits as 0x and hex digits, for initiators that take those" },
  yes: { flag: "yes", short: "y", summary: "do it without asking" },
  json: { flag: "json", summary: "print the result as JSON" },
  log: {
    flag: "log",
    value: "FORMAT",
    default: "text",
    choices: LOG_FORMAT_NAMES,
    summary: "format of events: text, journal, json",
  },
  logLevel: {
    flag: "log-level",
    value: "LEVEL",
    default: "info",
    choices: LOG_LEVELS,
    summary: "error, warning, info or debug",
  },
  root: {
    flag: "root",
    value: "FOLDER",
    default: "/",
    summary: "the root of the box, such as a mounted image",
  },
  init: {
    flag: "init",
    value: "SYSTEM",
    choices: INIT_SYSTEMS,
    summary: "systemd, openrc or sysv; by default that of the box",
  },
  help: { flag: "help", short: "h", summary: "print this" },
  version: { flag: "version", short: "V", summary: "print the version" },
} as const satisfies Record<string, Option>;

/** The name of an option in the program. */
export type OptionName = keyof typeof OPTIONS;

/** The type of a value: undefined for an option that is absent, takes a value and has no default. */
type OptionValue<Row extends Option> = Row extends { readonly value: string }
  ? Row extends { readonly default: string } ? string : string | undefined
  : boolean;

/** The values of all options, given or default. A command reads only its own. */
export type OptionValues = {
  readonly [Name in OptionName]: OptionValue<typeof OPTIONS[Name]>;
};

/** Returns the words of a command line that are an option, the short one first. */
export function optionFlags({ flag, short }: Option): string[] {
  return [...(short === undefined ? [] : [`-${short}`]), `--${flag}`];
}

/** Formats an option for a list of options: with its letter. */
export function optionTerm(option: Option): string {
  return `${option.short === undefined ? "    " : `-${option.short}, `}${optionSyntax(option)}`;
}

/** Formats an option for a usage. */
export function optionSyntax({ flag, value, isValueOptional }: Option): string {
  if (value === undefined) return `--${flag}`;
  return isValueOptional ? `--${flag} [${value}]` : `--${flag} ${value}`;
}
