/** How events are written down. */
import { escapeControls } from "../iscsi/events/peer_text.ts";
import { EventLog, LOG_LEVELS, type LogEvent, type LogLevel } from "../iscsi/events/event_log.ts";
import type { Context } from "./context.ts";

/** What journald takes at the start of a line for how much it matters (sd-daemon(3)). */
const PRIORITIES: Readonly<Record<LogLevel, number>> = { error: 3, warning: 4, info: 6, debug: 7 };

/** The forms, by what the command line calls them: each makes one line of an event, and of when it happened. */
export const LOG_FORMATS = {
  /** For people. */
  text: ({ level, ...event }: LogEvent): string =>
    `iscsi: ${level === "info" ? "" : `${level}: `}${sentence(event)}`,
  /** For journald, which knows whose line it is. */
  journal: ({ level, ...event }: LogEvent): string => `<${PRIORITIES[level]}>${sentence(event)}`,
  /** For programs: what an event does not have is left out. */
  json: ({ level, message, details, repeats }: LogEvent, atMs: number): string =>
    JSON.stringify({ time: new Date(atMs).toISOString(), level, message, ...details, repeats }),
} as const satisfies Record<string, (event: LogEvent, atMs: number) => string>;

/** One of the forms. */
export type LogFormat = keyof typeof LOG_FORMATS;

/** The names of the forms. */
export const LOG_FORMAT_NAMES = Object.keys(LOG_FORMATS) as readonly LogFormat[];

/**
 * Writes events of a level and above, in a form, to standard error. Where that cannot be, as its disk is full, they are
 * lost, which ends nobody's session; how many were lost is told in front of the next that can be written.
 */
export function eventLog(
  { stderr }: Pick<Context, "stderr">,
  options: { readonly log: string; readonly logLevel: string },
): EventLog {
  const format: (event: LogEvent, atMs: number) => string = LOG_FORMATS[options.log as LogFormat];
  const told = LOG_LEVELS.slice(0, LOG_LEVELS.indexOf(options.logLevel as LogLevel) + 1);
  let lost = 0;
  return new EventLog((event) => {
    if (!told.includes(event.level)) return;
    const events = lost === 0 ? [event] : [describeLost(lost), event];
    stderr.write(events.map((event) => `${format(event, Date.now())}\n`).join(""));
    lost = stderr.failure === undefined ? 0 : lost + 1;
  });
}

function describeLost(count: number): LogEvent {
  const events = count === 1 ? "One event" : `${count} events`;
  return { level: "warning", message: `${events} before this could not be written to this log` };
}

function sentence({ message, repeats = 0 }: Pick<LogEvent, "message" | "repeats">): string {
  const more = repeats === 0 ? "" : ` (and ${repeats} more like this in the last minute)`;
  return `${escapeControls(message)}${more}`;
}
