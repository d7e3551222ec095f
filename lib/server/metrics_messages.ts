/** What supervisor and metrics worker say to each other: plain data, posted as it is. */
import type { Endpoint } from "../config/config.ts";
import type { LogEvent } from "../iscsi/event_log.ts";

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
