/**
 * Events that the person who runs the target may want to read: one line each, nothing per command. An event is a value
 * until the last moment, when it is written down as text for people or as JSON for programs.
 */
import type { RefusalReason } from "./refusal_reason.ts";

/** How much an event matters, the most first. */
export const LOG_LEVELS = ["error", "warning", "info", "debug"] as const;

/** One of the levels. */
export type LogLevel = typeof LOG_LEVELS[number];

/** Kinds of events that programs may want to tell apart. */
export const EVENT_KINDS = [
  /** A login, or a connection that wants to log in. */
  "loginRefused",
  "loginRedirected",
  /** What a peer does against the rules, or does not do in time. */
  "peerFault",
  "sessionBegins",
  "sessionEnds",
  "sessionReinstated",
  "sessionDisplaced",
  "connectionJoins",
  /** The part that serves initiators, by a fault of ours or of the system. */
  "workerEnded",
  /** The storage of a LUN fails, or a kind of failure is over. */
  "storageFault",
  "unitNotServed",
  "unitServed",
] as const;

/** One of the kinds. */
export type EventKind = typeof EVENT_KINDS[number];

/** What an event is about, for programs: the message says it all for people. */
export interface EventDetails {
  readonly event: EventKind;
  /** Address of the peer. */
  readonly peer?: string | undefined;
  /** Names as the initiator claims them, folded. */
  readonly initiator?: string | undefined;
  readonly target?: string | undefined;
  /** Of a refusal. */
  readonly reason?: RefusalReason | undefined;
}

/** An event. */
export interface LogEvent {
  readonly level: LogLevel;
  readonly message: string;
  readonly details?: EventDetails | undefined;
  /** How many more like this there were, of which nothing was said. */
  readonly repeats?: number;
}

/** Where events go. */
export class EventLog {
  readonly write: (event: LogEvent) => void;

  constructor(write: (event: LogEvent) => void) {
    this.write = write;
  }

  /** Something that must be mended. */
  error(message: string, details?: EventDetails): void {
    this.write({ level: "error", message, details });
  }

  /** Something that may have to be. */
  warning(message: string, details?: EventDetails): void {
    this.write({ level: "warning", message, details });
  }

  /** Something that happens in the course of things. */
  info(message: string, details?: EventDetails): void {
    this.write({ level: "info", message, details });
  }

  /** Something that helps who looks for the cause of something else. */
  debug(message: string, details?: EventDetails): void {
    this.write({ level: "debug", message, details });
  }
}
