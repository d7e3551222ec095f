/** The messages between supervisor and relay: plain data, and the port of the link. */
import type { Portal } from "../../access/portals.ts";
import type { LogEvent } from "../../iscsi/events/event_log.ts";
import { logEvent, portal } from "../common_decoders.ts";
import { type Decoder, oneOf, record, text, variants } from "../decoder.ts";

/** A message to a relay. */
export type ToRelay =
  /** Listen at `portal` and relay connections over `link` to the target worker. */
  | { readonly kind: "start"; readonly portal: Portal; readonly link: MessagePort }
  /** Stop accepting; open connections are still relayed. */
  | { readonly kind: "stop" }
  /** Stop accepting, and close all connections. */
  | { readonly kind: "end" };

/** A message of a relay. */
export type FromRelay =
  | { readonly kind: "log"; readonly event: LogEvent }
  | { readonly kind: "listening"; readonly portal: Portal }
  /** The relay cannot listen; the message is for the user. */
  | { readonly kind: "failed"; readonly message: string }
  /** The relay was stopped, and its last connection is closed. */
  | { readonly kind: "stopped" };

/**
 * Decodes a message of a relay.
 *
 * @throws {MalformedValue} when it is invalid
 */
export const decodeRelayMessage: Decoder<FromRelay> = variants<FromRelay>({
  log: record({ kind: oneOf(["log"]), event: logEvent }),
  listening: record({ kind: oneOf(["listening"]), portal }),
  failed: record({ kind: oneOf(["failed"]), message: text }),
  stopped: record({ kind: oneOf(["stopped"]) }),
});
