import { DEFAULT_CONF_FILE } from "../config/config.ts";
import { LOG_LEVELS } from "../iscsi/events/event_log.ts";
import { LOG_FORMAT_NAMES } from "./log_format.ts";

/** One option of the command line. */
export interface Option {
  /** As typed, without the dashes. */
  readonly flag: string;
  /** What the value stands for; undefined when the option takes none. */
  readonly value?: string;
  /** The option may stand without its value. */
  readonly isValueOptional?: boolean;
  readonly default?: string;
  /** All that the value can be, if it is one of a few words. */
  readonly choices?: readonly string[];
  readonly summary: string;
}

/** Every option of every command. */
export const OPTIONS = {
  conf: {
    flag: "conf",
    value: "FILE",
    default: DEFAULT_CONF_FILE,
    summary: "the conf",
  },
  storage: {
    flag: "storage",
    value: "FOLDER",
    summary: "where the server runs, if the conf names another folder",
  },
  force: { flag: "force", summary: "even end sessions, drop every target, replace a lost disk" },
  dryRun: { flag: "dry-run", summary: "print what would be done, and do nothing" },
  watch: {
    flag: "watch",
    value: "SECONDS",
    isValueOptional: true,
    summary: "print it again and again, every 2 seconds by default",
  },
  now: { flag: "now", summary: "cut at once, and do not ask initiators to log out first" },
  hex: { flag: "hex", summary: "128 bits as 0x and hexadecimal digits, for initiators that take those" },
  yes: { flag: "yes", summary: "do it without asking" },
  json: { flag: "json", summary: "print the result as JSON" },
  log: {
    flag: "log",
    value: "FORMAT",
    default: "text",
    choices: LOG_FORMAT_NAMES,
    summary: "how events are written: text, journal, json",
  },
  logLevel: {
    flag: "log-level",
    value: "LEVEL",
    default: "info",
    choices: LOG_LEVELS,
    summary: "events to tell: error, warning, info, debug",
  },
  help: { flag: "help", summary: "print this" },
  version: { flag: "version", summary: "print the version" },
} as const satisfies Record<string, Option>;

/** Name of an option in the program. */
export type OptionName = keyof typeof OPTIONS;

/** The value of an option: undefined for one that is absent, is not a flag and has no default. */
type OptionValue<Row extends Option> = Row extends { readonly value: string }
  ? Row extends { readonly default: string } ? string : string | undefined
  : boolean;

/** The values of all options: as given, or their defaults. A command looks only at those that it has. */
export type OptionValues = {
  readonly [Name in OptionName]: OptionValue<typeof OPTIONS[Name]>;
};

/** An option as a usage shows it. */
export function optionSyntax({ flag, value, isValueOptional }: Option): string {
  if (value === undefined) return `--${flag}`;
  return isValueOptional ? `--${flag} [${value}]` : `--${flag} ${value}`;
}
