import { LOG_LEVELS } from "../iscsi/event_log.ts";
import { LOG_FORMAT_NAMES } from "./log_format.ts";

/** One option of the command line. */
export interface Option {
  /** As typed, without the dashes. */
  readonly flag: string;
  /** What the value stands for; undefined when the option takes none. */
  readonly value?: string;
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
    default: "/etc/netmanager/iscsi.conf",
    summary: "the conf",
  },
  dryRun: { flag: "dry-run", summary: "print what would be done, and do nothing" },
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

/** The values of all options: as given, or their defaults. A command looks only at those that it has. */
export type OptionValues = {
  readonly [Name in OptionName]: typeof OPTIONS[Name] extends { readonly value: string } ? string : boolean;
};
