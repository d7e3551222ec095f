/** Decoders for messages of several kinds of workers. */
import type { Portal } from "../access/portals.ts";
import { EVENT_KINDS, type EventDetails, LOG_LEVELS, type LogEvent } from "../iscsi/events/event_log.ts";
import { count, oneOf, optional, record, text } from "./decoder.ts";
import { REFUSAL_REASONS } from "../iscsi/events/refusal_reason.ts";

/** Decodes a portal. */
export const portal = record<Portal>({ address: text, port: count });

/** Decodes a log event. */
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
