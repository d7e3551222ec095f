/** What the supervisor and a relay say to each other: plain data, posted as it is, but for the port of the link. */
import type { Portal } from "../../access/portals.ts";
import type { LogEvent } from "../../iscsi/events/event_log.ts";
import { logEvent, portal } from "../common_decoders.ts";
import { type Decoder, oneOf, record, text, variants } from "../decoder.ts";

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

/**
 * Reads what a relay has posted.
 *
 * @throws {MalformedValue} when it is no message
 */
export const decodeRelayMessage: Decoder<FromRelay> = variants<FromRelay>({
  log: record({ kind: oneOf(["log"]), event: logEvent }),
  listening: record({ kind: oneOf(["listening"]), portal }),
  failed: record({ kind: oneOf(["failed"]), message: text }),
  stopped: record({ kind: oneOf(["stopped"]) }),
});
