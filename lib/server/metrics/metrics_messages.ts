/** The messages between supervisor and metrics worker, as plain data. */
import type { Endpoint } from "../../config/config.ts";
import type { LogEvent } from "../../iscsi/events/event_log.ts";
import { logEvent } from "../common_decoders.ts";
import { type Decoder, oneOf, record, text, variants } from "../decoder.ts";

/** A message to the metrics worker. */
export type ToMetricsWorker =
  | { readonly kind: "start"; readonly endpoint: Endpoint }
  /** The metrics that were requested; undefined when there are none now. */
  | { readonly kind: "text"; readonly text: string | undefined };

/** A message of the metrics worker. */
export type FromMetricsWorker =
  | { readonly kind: "log"; readonly event: LogEvent }
  | { readonly kind: "listening" }
  /** The worker cannot listen; the message is for the user. */
  | { readonly kind: "failed"; readonly message: string }
  /** A client requests the metrics; the next `text` answers it. */
  | { readonly kind: "wanted" };

/**
 * Decodes a message of the metrics worker, which is not trusted because it parses HTTP.
 *
 * @throws {MalformedValue} when it is invalid
 */
export const decodeMetricsMessage: Decoder<FromMetricsWorker> = variants<FromMetricsWorker>({
  log: record({ kind: oneOf(["log"]), event: logEvent }),
  listening: record({ kind: oneOf(["listening"]) }),
  failed: record({ kind: oneOf(["failed"]), message: text }),
  wanted: record({ kind: oneOf(["wanted"]) }),
});
