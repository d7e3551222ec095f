/**
 * Events for the person who runs the target: one line each, none per command. An event stays a value until it is
 * written as text for people or as JSON for programs.
 */
import type { RefusalReason } from "./refusal_reason.ts";

/** The levels of events, the most severe first. */
export const LOG_LEVELS = ["error", "warning", "info", "debug"] as const;

/** One of the levels. */
export type LogLevel = typeof LOG_LEVELS[number];

/** The kinds of events that programs can distinguish. */
export const EVENT_KINDS = [
  /** A login, or a connection before its login, is refused. */
  "loginRefused",
  "loginRedirected",
  /** A peer violates the protocol or a time limit. */
  "peerFault",
  "sessionBegins",
  "sessionEnds",
  "sessionReinstated",
  "sessionDisplaced",
  "connectionJoins",
  /** A target worker ended, by a fault of its own or of the system. */
  "workerEnded",
  /** A target worker does not answer, or answers again. */
  "workerHangs",
  "workerAnswers",
  /** The storage of a LUN fails, or works again. */
  "storageFault",
  "unitNotServed",
  "unitServed",
] as const;

/** One of the kinds. */
export type EventKind = typeof EVENT_KINDS[number];

/** The subject of an event, for programs; the message alone is enough for people. */
export interface EventDetails {
  readonly event: EventKind;
  /** Address of the peer. */
  readonly peer?: string | undefined;
  /** Names as the initiator claims them, folded. */
  readonly initiator?: string | undefined;
  readonly target?: string | undefined;
  /** The reason of a refusal. */
  readonly reason?: RefusalReason | undefined;
}

/** An event. */
export interface LogEvent {
  readonly level: LogLevel;
  readonly message: string;
  readonly details?: EventDetails | undefined;
  /** The number of further events like this one that were suppressed. */
  readonly repeats?: number;
}

/** The destination of events. */
export class EventLog {
  readonly write: (event: LogEvent) => void;

  constructor(write: (event: LogEvent) => void) {
    this.write = write;
  }

  /** Logs a fault that must be repaired. */
  error(message: string, details?: EventDetails): void {
    this.write({ level: "error", message, details });
  }

  /** Logs an event that may need attention. */
  warning(message: string, details?: EventDetails): void {
    this.write({ level: "warning", message, details });
  }

  /** Logs a normal event. */
  info(message: string, details?: EventDetails): void {
    this.write({ level: "info", message, details });
  }

  /** Logs detail useful for diagnosis. */
  debug(message: string, details?: EventDetails): void {
    this.write({ level: "debug", message, details });
  }
}
