/** The formats of events in the log. */
import { fstatSync } from "node:fs";
import { escapeControls } from "../iscsi/events/peer_text.ts";
import { EventLog, LOG_LEVELS, type LogEvent, type LogLevel } from "../iscsi/events/event_log.ts";
import type { Context } from "./context.ts";

/** The priorities of journald, at the start of a line (sd-daemon(3)). */
const PRIORITIES: Readonly<Record<LogLevel, number>> = { error: 3, warning: 4, info: 6, debug: 7 };

/** The formats by their names on the command line: each formats an event and its time as one line. */
export const LOG_FORMATS = {
  /** For people. */
  text: ({ level, ...event }: LogEvent): string =>
    `iscsi: ${level === "info" ? "" : `${level}: `}${sentence(event)}`,
  /** For journald, which knows the origin of a line. */
  journal: ({ level, ...event }: LogEvent): string => `<${PRIORITIES[level]}>${sentence(event)}`,
  /** For programs, without absent fields. */
  json: ({ level, message, details, repeats }: LogEvent, atMs: number): string =>
    JSON.stringify({ time: new Date(atMs).toISOString(), level, message, ...details, repeats }),
} as const satisfies Record<string, (event: LogEvent, atMs: number) => string>;

/** The name of a format. */
export type LogFormat = keyof typeof LOG_FORMATS;

/** The names of the formats. */
export const LOG_FORMAT_NAMES = Object.keys(LOG_FORMATS) as readonly LogFormat[];

/**
 * Reports whether lines of text need a time: standard error is neither a terminal nor a socket. The journal of systemd
 * is a socket, and stamps each line itself. Its variable JOURNAL_STREAM has the same answer, but takes a right to the
 * environment, which may be empty.
 */
export function needsTimestamps(): boolean {
  if (Deno.stderr.isTerminal()) return false;
  try {
    return !fstatSync(STDERR).isSocket();
  } catch {
    return true;
  }
}

const STDERR = 2;

/** Formats an event as text for people who read it later. */
function stampedText(event: LogEvent, atMs: number): string {
  return `${new Date(atMs).toISOString()} ${LOG_FORMATS.text(event)}`;
}

/**
 * Returns a log that writes events of a level and above to standard error. Events that cannot be written, because the
 * disk is full, are lost; their number precedes the next event that can be written. With `--json` the format is JSON.
 */
export function eventLog(
  { stderr, stampsLog = false, json }: Pick<Context, "stderr" | "stampsLog" | "json">,
  options: { readonly log: string; readonly logLevel: string },
): EventLog {
  const name = json === undefined ? options.log as LogFormat : "json";
  const format: (event: LogEvent, atMs: number) => string = name === "text" && stampsLog
    ? stampedText
    : LOG_FORMATS[name];
  const levels = LOG_LEVELS.slice(0, LOG_LEVELS.indexOf(options.logLevel as LogLevel) + 1);
  let lost = 0;
  return new EventLog((event) => {
    if (!levels.includes(event.level)) return;
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
