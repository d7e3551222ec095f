/** Decoders of what several kinds of workers post. */
import type { Portal } from "../access/portals.ts";
import { EVENT_KINDS, type EventDetails, LOG_LEVELS, type LogEvent } from "../iscsi/events/event_log.ts";
import { count, oneOf, optional, record, text } from "./decoder.ts";
import { REFUSAL_REASONS } from "../iscsi/events/refusal_reason.ts";

/** Takes a place to listen at. */
export const portal = record<Portal>({ address: text, port: count });

/** Takes an event for the log. */
export const logEvent = record<LogEvent>({
  level: oneOf(LOG_LEVELS),
  message: text,
  details: optional(record<EventDetails>({
    event: oneOf(EVENT_KINDS),
    peer: optional(text),
    initiator: optional(text),
    target: optional(text),
    reason: optional(oneOf(REFUSAL_REASONS)),
  })),
  repeats: optional(count),
});
