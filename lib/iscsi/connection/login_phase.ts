/**
 * The login phase of one connection (RFC 7143, 6.3), from its first request to the final response. It takes PDUs and
 * writes replies, and does no I/O on sockets.
 *
 * A request's path: `receive` -> `Login` (negotiation, CHAP), which calls back to authorize the initiator, to admit it
 * and to establish its session -> a Login Response, or a fault that the connection passes to `refuse`.
 */
import { serialAdd } from "../../bytes/serial_number.ts";
import type { ConnectionEnds } from "../byte_stream.ts";
import type { Clock } from "../clock.ts";
import { Limits } from "../limits.ts";
import { Login } from "../login/login.ts";
import type { Negotiation, SessionParameters } from "../negotiation/negotiation.ts";
import type { Frame } from "../pdu/header.ts";
import { decodeLoginRequest, type LoginRequest } from "../pdu/initiator_pdus.ts";
import { LoginStatus } from "../pdu/login_status.ts";
import {
  isForWantOfRoom,
  loginBroken,
  type LoginRefusal,
  type ProtocolError,
  type ProtocolErrorResponse,
} from "../pdu/protocol_error.ts";
import type { Session } from "../session/session.ts";
import type { LoginReply, ReplyWriter, WindowNumbers } from "../wire/reply_writer.ts";
import type { PeerLog } from "./peer_log.ts";
import type { LoginIdentity } from "../login/identity.ts";
import type { Admission, LoginAuthority } from "../login/authority.ts";

/** A peer whose login is refused. */
export interface RefusedPeer {
  readonly ends: ConnectionEnds;
  /** The names that the initiator claims; undefined before its first login request. */
  readonly claim: LoginIdentity | undefined;
}

/** The rules that decide who may log in. */
export interface LoginRules {
  /** Decides on a login by its names and addresses. */
  authorize(ends: ConnectionEnds, identity: LoginIdentity): Admission;
  /** Returns the time that a login with CHAP waits because others from its address have failed. */
  authenticationDelayMs(ends: ConnectionEnds): number;
  /** Records that an initiator has failed to authenticate. */
  authenticationFailed(ends: ConnectionEnds): void;
  /** Records a refused login. */
  refused(peer: RefusedPeer, refusal: LoginRefusal): void;
}

/** The parameters of a session that its leading connection negotiates. */
export interface NewSession {
  readonly parameters: SessionParameters;
  /** The number of the first command. */
  readonly cmdSN: number;
}

/** A session that a connection has begun or joined. */
export interface Establishment {
  readonly session: Session;
  /** Resolves when the work of the session or connection that this one replaces has settled. The response waits. */
  readonly predecessor: Promise<unknown> | undefined;
}

/** The sessions that a login can begin or join. */
export interface SessionEstablishment {
  /**
   * Returns the session that a login with its TSIH joins.
   *
   * @throws {ProtocolError} of kind `login` when there is no such session
   */
  sessionToJoin(identity: LoginIdentity): Session;
  /**
   * Begins or joins a session.
   *
   * @throws {ProtocolError} of kind `login`
   */
  establish(ends: ConnectionEnds, identity: LoginIdentity, login: NewSession): Establishment;
  /** Pings silent peers to find room for a login. Returns undefined when none is silent. */
  findRoom(): Promise<void> | undefined;
}

/** The connection, as its login phase needs it. */
export interface LoginOwner {
  readonly ends: ConnectionEnds;
  readonly clock: Clock;
  readonly rules: LoginRules;
  readonly establishment: SessionEstablishment;
  /** Returns false once the connection is closed, or sends its last replies. */
  isReceiving(): boolean;
  /** Receives and sends nothing until the promise resolves. */
  waitFor(obstacle: Promise<unknown> | undefined): void;
  /** Enters full-feature phase within a session. The final Login Response follows. */
  enterSession(session: Session, cid: number, negotiation: Negotiation): void;
  /** Ends the login phase: the final Login Response is written. */
  complete(negotiation: Negotiation): void;
  /** Answers a fault that occurred outside of a request. */
  answerFault(thrown: unknown): void;
  /** Writes the last reply once nothing is waited for, and closes the connection when it is sent. */
  finishWith(writeLast: () => void): void;
  /** Receives nothing more, sends the remaining replies and closes the connection. */
  finish(): void;
  close(): void;
}

/** A connection that has not logged in. */
export class LoginPhase implements LoginAuthority {
  readonly #replies: ReplyWriter;
  readonly #peerLog: PeerLog;
  readonly #owner: LoginOwner;
  readonly #login = new Login(this);
  #request: LoginRequest | undefined;
  #hasAwaitedRoom = false;
  /** True from the moment at which the login may have changed anything outside of its connection. */
  #isEstablishing = false;
  #cancelDeadline: (() => void) | undefined;
  #cancelDelay: (() => void) | undefined;

  constructor(options: { replies: ReplyWriter; peerLog: PeerLog; owner: LoginOwner }) {
    this.#replies = options.replies;
    this.#peerLog = options.peerLog;
    this.#owner = options.owner;
  }

  get ends(): ConnectionEnds {
    return this.#owner.ends;
  }

  /** The names that the initiator claims; undefined before its first login request. */
  get claim(): LoginIdentity | undefined {
    return this.#login.claim;
  }

  /** The identity of the initiator, once it has been admitted. */
  get identity(): LoginIdentity | undefined {
    return this.#login.identity;
  }

  get isCongested(): boolean {
    return this.#replies.buffer.isFull;
  }

  /** Returns true for the CHAP challenge that the initiator has not answered yet. */
  isOutstanding(challenge: Uint8Array): boolean {
    return this.#login.isOutstanding(challenge);
  }

  /** Starts the time limit of the login. */
  start(): void {
    this.#cancelDeadline = this.#owner.clock.after(Limits.loginMs, () => this.#timeOut());
  }

  /** Cancels the time limit and the delay: the connection is closed. */
  end(): void {
    this.#cancelDeadline?.();
    this.#cancelDelay?.();
  }

  #timeOut(): void {
    if (this.#login.complete || !this.#owner.isReceiving()) return;
    const rule = `login not complete within ${Limits.loginMs / 1000} s`;
    this.#owner.rules.refused(this, { reason: "time", rule });
    this.#peerLog.warn(rule, "time");
    this.#owner.close();
  }

  /**
   * Answers a Login Request.
   *
   * @throws {ProtocolError} of kind `login`, `redirect` or `close`
   */
  receive(frame: Frame): void {
    const request = decodeLoginRequest(frame);
    // 11.13.3: responses carry a window before there is a session. It has room for the login only.
    if (this.#request === undefined) this.#replies.follow(windowOfLogin(request));
    this.#request = request;
    this.#answer(request, () => this.#login.receive(request));
  }

  #answer(request: LoginRequest, decide: () => LoginReply): void {
    let reply: LoginReply;
    try {
      reply = decide();
    } catch (error) {
      if (!isForWantOfRoom(error) || !this.#awaitRoom(request)) throw error;
      return;
    }
    this.#replies.loginResponse(request, reply);
    if (this.#login.complete) this.#owner.complete(this.#login.negotiation);
  }

  /** Delays the answer, once, until the search for room is over. Returns false when no search is possible. */
  #awaitRoom(request: LoginRequest): boolean {
    const search = this.#hasAwaitedRoom ? undefined : this.#owner.establishment.findRoom();
    this.#hasAwaitedRoom = true;
    if (search === undefined) return false;
    this.#owner.waitFor(search.then(() => this.#answerAgain(request)));
    return true;
  }

  #answerAgain(request: LoginRequest): void {
    if (!this.#owner.isReceiving()) return;
    try {
      this.#answer(request, () => this.#login.reply(request));
    } catch (error) {
      this.#owner.answerFault(error);
    }
  }

  overlooked(what: string): void {
    this.#peerLog.overlook(what);
  }

  /** Delays CHAP from an address with recent failures, however many connections it uses. */
  authorize(identity: LoginIdentity): Admission {
    const { rules, clock } = this.#owner;
    const admission = rules.authorize(this.ends, identity);
    const delayMs = admission.chap === undefined ? 0 : rules.authenticationDelayMs(this.ends);
    if (delayMs > 0) {
      this.#owner.waitFor(
        new Promise<void>((resolve) => {
          this.#cancelDelay = clock.after(delayMs, resolve);
        }),
      );
    }
    return admission;
  }

  /** Follows the window of the session to join: this login does not acknowledge what its other connections sent. */
  admitted(identity: LoginIdentity): void {
    if (identity.tsih === 0) return;
    this.#replies.follow(this.#owner.establishment.sessionToJoin(identity).window);
  }

  establish(identity: LoginIdentity): number {
    this.#isEstablishing = true;
    const { negotiation } = this.#login;
    const { cmdSN } = this.#request!;
    const parameters = negotiation.sessionParameters();
    const owner = this.#owner;
    const { session, predecessor } = owner.establishment.establish(this.ends, identity, {
      parameters,
      cmdSN,
    });
    owner.waitFor(predecessor);
    this.#replies.follow(session.window);
    owner.enterSession(session, identity.cid, negotiation);
    return session.tsih;
  }

  /**
   * Returns the refusal for a fault of the target's own. The fault fails only this login (11.13.5), as long as nothing
   * outside of it has changed.
   *
   * @throws the fault itself once the login may have changed a session: then the whole target ends
   */
  faultOf(fault: unknown): ProtocolError {
    if (this.#isEstablishing) throw fault;
    return loginBroken(this.claim?.initiatorName, fault);
  }

  /** Sends the final Login Response of a login that is refused or redirected, and closes the connection. */
  refuse(response: Extract<ProtocolErrorResponse, { readonly kind: "login" | "redirect" }>): void {
    const { rules } = this.#owner;
    if (response.kind === "login") {
      if (response.status === LoginStatus.authenticationFailure) rules.authenticationFailed(this.ends);
      rules.refused(this, response);
    }
    const request = this.#request;
    // A first PDU that is not a Login Request has nothing that a response could refer to (RFC 7143, 4.2.4).
    if (request === undefined) return this.#owner.finish();
    this.#owner.finishWith(() => this.#replies.loginFailure(request, response));
  }
}

/**
 * Returns the command window to announce until the initiator is admitted. If the login joins a session, this window is
 * unrelated to that of the session, and acknowledges none of its commands.
 */
function windowOfLogin({ tsih, cmdSN }: LoginRequest): WindowNumbers {
  if (tsih === 0) return { expCmdSN: cmdSN, maxCmdSN: cmdSN };
  const expCmdSN = serialAdd(cmdSN, -Limits.commandWindow);
  return { expCmdSN, maxCmdSN: serialAdd(expCmdSN, -1) };
}
