/** What the supervisor and a relay say to each other: plain data, posted as it is, but for the port of the link. */
import type { Portal } from "../../access/portals.ts";
import type { LogEvent } from "../../iscsi/event_log.ts";

/** What a relay is to do. */
export type ToRelay =
  /** Listen at `portal`, and hand everything on over `link`, whose other end the target worker has. */
  | { readonly kind: "start"; readonly portal: Portal; readonly link: MessagePort }
  /** Accept no more; what was accepted goes on to its end. */
  | { readonly kind: "stop" }
  /** Accept no more, and close what was accepted. */
  | { readonly kind: "end" };

/** What a relay has done. */
export type FromRelay =
  | { readonly kind: "log"; readonly event: LogEvent }
  | { readonly kind: "listening"; readonly portal: Portal }
  /** It cannot listen; the reason is for the user. */
  | { readonly kind: "failed"; readonly message: string }
  /** It was stopped, and its last connection is over. */
  | { readonly kind: "stopped" };
