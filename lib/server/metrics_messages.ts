/** What supervisor and metrics worker say to each other: plain data, posted as it is. */
import type { Endpoint } from "../config/config.ts";
import type { LogEvent } from "../iscsi/events/event_log.ts";
import { logEvent } from "./common_decoders.ts";
import { type Decoder, oneOf, record, text, variants } from "./decoder.ts";

/** What a metrics worker is to do. */
export type ToMetricsWorker =
  | { readonly kind: "start"; readonly endpoint: Endpoint }
  /** What to tell whoever has asked; undefined when there is nothing to tell. */
  | { readonly kind: "text"; readonly text: string | undefined };

/** What a metrics worker has to say. */
export type FromMetricsWorker =
  | { readonly kind: "log"; readonly event: LogEvent }
  | { readonly kind: "listening" }
  /** It cannot listen; the reason is for the user. */
  | { readonly kind: "failed"; readonly message: string }
  /** Somebody asks; the next text is for him. */
  | { readonly kind: "wanted" };

/**
 * Reads what a metrics worker has posted, which parses what comes over HTTP.
 *
 * @throws {MalformedValue} when it is no message
 */
export const decodeMetricsMessage: Decoder<FromMetricsWorker> = variants<FromMetricsWorker>({
  log: record({ kind: oneOf(["log"]), event: logEvent }),
  listening: record({ kind: oneOf(["listening"]) }),
  failed: record({ kind: oneOf(["failed"]), message: text }),
  wanted: record({ kind: oneOf(["wanted"]) }),
});
