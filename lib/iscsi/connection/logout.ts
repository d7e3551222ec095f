import type { Clock } from "../clock.ts";
import type { LogoutRequest } from "../pdu/initiator_pdus.ts";
import { rejected } from "../pdu/protocol_error.ts";
import { RejectReason } from "../pdu/reject_reason.ts";
import type { Session, SessionConnection } from "../session/session.ts";
import type { ReplyWriter } from "../wire/reply_writer.ts";
import type { DeferredResponses } from "./deferred_responses.ts";
import type { PeerLog } from "./peer_log.ts";

/** Reasons of a Logout Request (RFC 7143, 11.14.1). */
export const LogoutReason = { closeSession: 0, closeConnection: 1, removeForRecovery: 2 } as const;

/** Responses to a Logout Request (RFC 7143, 11.15.1). */
const LogoutResponse = { success: 0, cidNotFound: 1, recoveryNotSupported: 2 } as const;

/** The connection that is logged out. */
interface LogoutConnection
  extends Pick<SessionConnection, "cid" | "parameters" | "announceDrop" | "finish" | "wake"> {
  readonly isOver: boolean;
  /** False once the connection is closed, or sends its last replies. */
  readonly isReceiving: boolean;
}

/** The logout of one connection or its session (RFC 7143, 11.14 and 11.15), requested by the target or not. */
export class Logout {
  readonly #session: Session;
  readonly #replies: ReplyWriter;
  readonly #clock: Clock;
  readonly #deferred: DeferredResponses;
  readonly #peerLog: PeerLog;
  readonly #connection: LogoutConnection;
  #cancelDeadline: (() => void) | undefined;

  constructor(options: {
    session: Session;
    replies: ReplyWriter;
    clock: Clock;
    deferred: DeferredResponses;
    peerLog: PeerLog;
    connection: LogoutConnection;
  }) {
    this.#session = options.session;
    this.#replies = options.replies;
    this.#clock = options.clock;
    this.#deferred = options.deferred;
    this.#peerLog = options.peerLog;
    this.#connection = options.connection;
  }

  /** True once the target has requested a logout. */
  get isRequested(): boolean {
    return this.#cancelDeadline !== undefined;
  }

  /**
   * Requests the initiator to log out (RFC 7143, 11.9.1), and closes the connection when it has not within that time.
   * Until then everything continues.
   */
  request(seconds: number): void {
    const connection = this.#connection;
    if (!connection.isReceiving || this.isRequested) return;
    this.#replies.logoutWanted(seconds);
    this.#cancelDeadline = this.#clock.after(seconds * 1000, () => {
      if (connection.isOver) return;
      this.#peerLog.warn(`no logout within ${seconds} s of the request; closing the connection`);
      connection.announceDrop(connection.cid);
      connection.finish();
    });
    connection.wake();
  }

  /** Cancels the deadline: the connection is logged out or closed. */
  end(): void {
    this.#cancelDeadline?.();
  }

  /**
   * Carries out a Logout Request. Sends the response when nothing begun before it can still reach a medium.
   *
   * @throws {ProtocolError} of kind `reject`
   */
  receive(pdu: LogoutRequest): void {
    const response = this.#responseTo(pdu);
    const { defaultTime2Wait: time2Wait, defaultTime2Retain: time2Retain } = this.#connection.parameters;
    const reply = { response, time2Wait, time2Retain };
    if (response !== LogoutResponse.success) return this.#replies.logoutResponse(pdu, reply);
    const { connections } = this.#session;
    const leaving = pdu.reason === LogoutReason.closeSession
      ? [...connections.values()]
      : [connections.get(pdu.cid)!];
    // The tasks and reservations of the session are released before the response reports its end.
    if (leaving.length === connections.size) this.#session.close();
    for (const connection of leaving) this.#session.leave(connection);
    this.#deferred.after(this.#session.settled(), () => {
      this.#replies.logoutResponse(pdu, reply);
      for (const connection of leaving) connection.finish();
    });
  }

  #responseTo(pdu: LogoutRequest): number {
    switch (pdu.reason) {
      case LogoutReason.closeSession:
        return LogoutResponse.success;
      case LogoutReason.closeConnection:
        return this.#session.connections.has(pdu.cid) ? LogoutResponse.success : LogoutResponse.cidNotFound;
      case LogoutReason.removeForRecovery:
        return LogoutResponse.recoveryNotSupported;
      default:
        throw rejected(RejectReason.invalidPduField, `Logout with unknown reason ${pdu.reason}`);
    }
  }
}
