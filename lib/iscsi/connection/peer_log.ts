import type { ConnectionEnds } from "../byte_stream.ts";
import { formatInitiatorName } from "../../config/iscsi_name.ts";
import type { EventDetails, EventKind, EventLog } from "../events/event_log.ts";
import type { RefusalReason } from "../events/refusal_reason.ts";
import { Limits } from "../limits.ts";
import type { ProtocolError } from "../pdu/protocol_error.ts";
import type { LoginIdentity } from "../login/identity.ts";

/** The peer of a connection, as events name it. */
export interface LoggedPeer {
  readonly ends: ConnectionEnds;
  /** The names that the initiator claims; undefined before its first login request. */
  readonly claim: LoginIdentity | undefined;
  /** The same once the initiator has been admitted. */
  readonly identity: LoginIdentity | undefined;
}

/** The events that one connection reports about its peer. Their number is bounded. */
export class PeerLog {
  readonly #log: EventLog;
  readonly #peer: LoggedPeer;
  #warnings = 0;
  /** Kinds of harmless faults that were logged. There are only a few kinds. */
  readonly #overlooked = new Set<string>();

  constructor(log: EventLog, peer: LoggedPeer) {
    this.#log = log;
    this.#peer = peer;
  }

  /** Logs a fault of the peer. With a reason, the fault refuses a login. */
  warn(message: string, reason?: RefusalReason): void {
    this.#warnings++;
    if (this.#warnings > Limits.warnings) return;
    if (this.#warnings === Limits.warnings) {
      message += "; further warnings from this connection are suppressed";
    }
    const details = this.#details(reason === undefined ? "peerFault" : "loginRefused");
    this.#log.warning(`${this.#name}: ${message}`, { ...details, reason });
  }

  /** Logs, at level debug and once for each kind, a violation of the rules that does no harm. */
  overlook(what: string): void {
    if (this.#overlooked.has(what)) return;
    this.#overlooked.add(what);
    this.#log.debug(`${this.#name}: overlooked: ${what}`, this.#details("peerFault"));
  }

  /** Logs the end of a login or a connection: a redirection, a fault of the peer or a failure of the target. */
  fault({ message, response }: ProtocolError): void {
    const line = `${this.#peer.ends.peerAddress}: ${message}`;
    if (response.kind === "redirect") return this.#log.info(line, this.#details("loginRedirected"));
    const reason = response.kind === "login" ? response.reason : undefined;
    if (reason !== "fault") return this.warn(message, reason);
    this.#log.error(line, { ...this.#details("loginRefused"), reason });
  }

  get #name(): string {
    const { ends, identity } = this.#peer;
    if (identity === undefined) return ends.peerAddress;
    return `${ends.peerAddress} (${formatInitiatorName(identity.initiatorName)})`;
  }

  #details(event: EventKind): EventDetails {
    const { ends, claim } = this.#peer;
    return { event, peer: ends.peerAddress, initiator: claim?.initiatorName, target: claim?.targetName };
  }
}
