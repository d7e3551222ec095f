/**
 * One connection: the stages of its life, `login` -> `fullFeature` -> `finishing` -> `closed` (it only ever moves
 * forward).
 *
 * It is also the one file of this folder that touches a socket, as a `ByteStream`. Receiving and sending go on at the
 * same time, so that a peer that sends before it reads does not stand still; but when too much waits to be sent,
 * nothing more is received: a peer that never reads holds back only itself.
 */
import { serialAdd } from "../../bytes/serial_number.ts";
import type { ByteStream, ConnectionEnds } from "../byte_stream.ts";
import type { Clock } from "../clock.ts";
import { CommandMeter } from "../task/command_meter.ts";
import { Digests } from "../wire/digests.ts";
import type { EventDetails, EventKind, EventLog } from "../events/event_log.ts";
import { FrameBuffer } from "../wire/framing.ts";
import { FullFeaturePhase } from "./full_feature_phase.ts";
import { decodeLoginRequest, type LoginRequest } from "../pdu/initiator_pdus.ts";
import { Limits } from "../limits.ts";
import { type Admission, Login, type LoginAuthority, type LoginIdentity } from "../login/login.ts";
import { yieldToSockets } from "./yield_to_sockets.ts";
import { LoginStatus } from "../pdu/login_status.ts";
import type { SessionParameters } from "../negotiation/negotiation.ts";
import { PeerActivity, type PingSettings, type WatchedConnection } from "./keepalive.ts";
import { isForWantOfRoom, loginBroken, type LoginRefusal, ProtocolError } from "../pdu/protocol_error.ts";
import type { TextBudget } from "../negotiation/text_budget.ts";
import { type LoginReply, ReplyWriter, type WindowNumbers } from "../wire/reply_writer.ts";
import type { DoubtfulConnection } from "./room_search.ts";
import type { Session, SessionConnection } from "../session/session.ts";
import type { KeyValue } from "../pdu/text.ts";
import type { TimeSlices } from "./time_slices.ts";
import type { RefusalReason } from "../events/refusal_reason.ts";
import type { Frame } from "../pdu/header.ts";

/** What a connection needs of the node that it is connected to. */
export interface ConnectionOwner {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly timeSlices: TimeSlices;
  readonly textBudget: TextBudget;
  authorize(connection: Connection, identity: LoginIdentity): Admission;
  /** The peer has failed to prove what it had to. */
  authenticationFailed(connection: Connection): void;
  /** For how long a login waits that has to prove something, for those that have failed to. */
  authenticationDelayMs(connection: Connection): number;
  /**
   * The session that a login with its TSIH joins.
   *
   * @throws {ProtocolError} of kind `login` when it may not
   */
  sessionToJoin(identity: LoginIdentity): Session;
  establish(connection: Connection, identity: LoginIdentity, login: NewSession): Establishment;
  /** Looks for peers that are gone, since there is no room for a login; undefined when all are there. */
  findRoom(): Promise<void> | undefined;
  /** Ends the session at once, and all its connections. */
  endSession(session: Session): void;
  /** The session is over: its tasks end, and its nexus. Its connections may still have something to say. */
  retire(session: Session): void;
  /** A login over this connection is refused. */
  refused(connection: Connection, refusal: LoginRefusal): void;
  /** A connection of the session is closed; with the last one the session is over. */
  disconnected(connection: SessionConnection, session: Session): void;
  resetTarget(session: Session): void;
  sendTargets(connection: Connection, session: Session, value: string): readonly KeyValue[] | undefined;
}

/** What the login of a leading connection settles for its session. */
export interface NewSession {
  readonly parameters: SessionParameters;
  /** The number of the first command. */
  readonly cmdSN: number;
}

/** A session that has begun or been joined, and what must be over before its initiator hears so. */
export interface Establishment {
  readonly session: Session;
  readonly predecessor: Promise<unknown> | undefined;
}

type Stage = "login" | "fullFeature" | "finishing" | "closed";

/** A peer, from being accepted to being gone. */
export class Connection implements WatchedConnection, DoubtfulConnection {
  readonly ends: ConnectionEnds;
  readonly #stream: ByteStream;
  readonly #owner: ConnectionOwner;
  readonly #replies = new ReplyWriter();
  readonly #frames = new FrameBuffer(Limits.receiveBufferLoginBytes, Limits.loginDataSegmentBytes);
  readonly #meter: CommandMeter;
  readonly #login: Login;
  #stage: Stage = "login";
  #loginRequest: LoginRequest | undefined;
  /** The login is about to have a session, or has one. */
  #isEstablishing = false;
  #hasAwaitedRoom = false;
  #phase: FullFeaturePhase | undefined;
  readonly #activity = new PeerActivity();
  /** Bytes that the peer has taken since the last look, and for how many looks in a row these were few. */
  #takenBytes = 0;
  #slowSeconds = 0;
  #isSending = false;
  /** The login waits because others have failed: what keeps its time from coming. */
  #cancelDelay: (() => void) | undefined;
  #warnings = 0;
  /** Faults of the peer that were said to be overlooked; there are only a few kinds. */
  readonly #overlooked = new Set<string>();
  readonly #closed = Promise.withResolvers<void>();
  /** Resolved at the next progress: something was sent or completed, or the connection was closed. */
  #nextProgress: PromiseWithResolvers<void> | undefined;
  /**
   * Nothing is received or sent until this resolves: a login has to wait, or work of the session that this one replaces
   * goes on.
   */
  #obstacle: Promise<unknown> | undefined;

  constructor(stream: ByteStream, ends: ConnectionEnds, owner: ConnectionOwner) {
    this.#stream = stream;
    this.ends = ends;
    this.#owner = owner;
    const authority: LoginAuthority = {
      overlooked: (what) => this.#overlook(what),
      authorize: (identity) => this.#authorize(identity),
      admitted: (identity) => this.#admitted(identity),
      establish: (identity) => this.#establish(identity),
    };
    this.#login = new Login(authority);
    this.#meter = new CommandMeter(owner.clock);
  }

  /** Who says that it is at the other end; undefined when nobody has said so yet. */
  get claim(): LoginIdentity | undefined {
    return this.#login.claim;
  }

  /** Has not logged in, and may still take up the time and memory of one who has not. */
  get isInLogin(): boolean {
    return this.#phase === undefined && this.#stage !== "closed";
  }

  /** It takes nothing more from the peer, which may still take what waits for it. */
  get isLeaving(): boolean {
    return this.#stage === "finishing";
  }

  /** It has said who it is, and may log in for all that is known. */
  get isIdentified(): boolean {
    return this.#login.identity !== undefined && !this.isLeaving;
  }

  /** Whether this is the challenge that the peer is still to answer. */
  isOutstanding(challenge: Uint8Array): boolean {
    return this.isInLogin && this.#login.isOutstanding(challenge);
  }

  /** Resolves when the connection is closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Serves the peer until it is gone. Never rejects for a fault of the peer's. */
  async run(): Promise<void> {
    const cancelDeadline = this.#owner.clock.after(Limits.loginMs, () => this.#loginTimedOut());
    try {
      await this.#receiveUntilEnd();
      // The peer sends no more, but may still read: what waits is sent before the connection is closed.
      this.finish();
      await this.closed;
    } finally {
      cancelDeadline();
      this.close();
    }
  }

  /** Ends the connection at once, and its session with it if it is the last one. */
  close(): void {
    if (this.#stage === "closed") return;
    this.#stage = "closed";
    this.#closed.resolve();
    this.#progress();
    if (this.#phase !== undefined) this.#owner.disconnected(this.#phase, this.#phase.session);
    this.#cancelDelay?.();
    this.#stream.close();
    // A medium may keep work of this connection for long: nothing else of it is kept meanwhile.
    this.#frames.release();
    this.#replies.buffer.release();
  }

  /** Takes nothing more from the peer; what waits is sent, and then the connection is closed. */
  finish(): void {
    if (!this.#isReceiving) return;
    this.#sendLast();
  }

  #sendLast(): void {
    this.#stage = "finishing";
    this.#frames.release();
    const cancelDeadline = this.#owner.clock.after(Limits.finishMs, () => this.close());
    this.#drain().finally(() => {
      cancelDeadline();
      this.close();
    });
  }

  watch(nowMs: number, settings: PingSettings): void {
    if (this.#stage !== "fullFeature" || this.#phase === undefined) return;
    this.#watchReading();
    if (this.#isClosed) return;
    this.#phase.watchTransfers();
    if (this.#isWaitedFor) this.#activity.hasCome = true;
    switch (this.#activity.look(nowMs, settings)) {
      case "nothing":
        return;
      case "ping":
        this.#phase.replies.ping();
        return this.#wake();
      case "close":
        this.#warn(`no answer to a ping within ${settings.pingTimeoutSeconds} s: the peer is taken for gone`);
        return this.close();
    }
  }

  /** Who is not listened to, or waits for the answer to a login or logout, has nothing to say: the medium is slow. */
  get #isWaitedFor(): boolean {
    const phase = this.#phase;
    return phase === undefined || phase.isWaitedFor || this.#obstacle !== undefined;
  }

  probe(nowMs: number): boolean {
    if (this.#stage !== "fullFeature" || this.#isWaitedFor) return false;
    if (this.#activity.silentMs(nowMs) < Limits.silentMs) return false;
    this.#activity.pinged(nowMs);
    this.#replies.ping();
    this.#wake();
    return true;
  }

  isDecided(sinceMs: number): boolean {
    return this.#stage !== "fullFeature" || this.#isWaitedFor || this.#activity.hasComeSince(sinceMs);
  }

  presumeGone(): void {
    const seconds = Limits.probeMs / 1000;
    this.#warn(
      `no answer to a ping within ${seconds} s, and others need its room: the peer is taken for gone`,
    );
    this.close();
  }

  /** A peer that takes next to nothing of what waits for it holds it, and whatever the answers behind it hold. */
  #watchReading(): void {
    const isSlow = this.#isSending && this.#takenBytes < Limits.slowReaderBytesPerSecond;
    this.#slowSeconds = isSlow ? this.#slowSeconds + 1 : 0;
    this.#takenBytes = 0;
    if (this.#slowSeconds < Limits.slowReaderSeconds) return;
    const rate = `fewer than ${Limits.slowReaderBytesPerSecond} bytes a second`;
    this.#warn(`takes ${rate} of what waits for it, for ${Limits.slowReaderSeconds} s: closed`);
    this.close();
  }

  #loginTimedOut(): void {
    if (this.#stage !== "login") return;
    const rule = `login not complete within ${Limits.loginMs / 1000} s`;
    this.#owner.refused(this, { reason: "time", rule });
    this.#warn(rule, "time");
    this.close();
  }

  /**
   * Receives and carries out what has come, until nothing more is to be received. It is one function, and awaits what
   * the stream returns and nothing around it, because each promise more costs every command of a peer that sends one
   * at a time.
   */
  async #receiveUntilEnd(): Promise<void> {
    const { timeSlices } = this.#owner;
    while (this.#isReceiving) {
      let count: number | null;
      try {
        count = await this.#stream.read(this.#frames.space());
      } catch {
        return;
      }
      if (count === null || !this.#isReceiving) return;
      this.#frames.received(count);
      this.#activity.hasCome = true;
      this.#meter.received();
      const slicePdus = timeSlices.lengthFor(this);
      let pdus = 0;
      for (let frame = this.#nextFrame(); frame !== undefined; frame = this.#nextFrame()) {
        this.#receive(frame);
        pdus++;
        if (pdus % slicePdus === 0) await this.#letOthersGo();
        if (this.#obstacle !== undefined) await this.#untilClear();
        if (this.#isCongested) await this.#untilRoom();
        if (!this.#isReceiving) break;
      }
      timeSlices.received(this, pdus);
      this.#send();
    }
  }

  get #isClosed(): boolean {
    return this.#stage === "closed";
  }

  get #isReceiving(): boolean {
    return this.#stage === "login" || this.#stage === "fullFeature";
  }

  #nextFrame(): Frame | undefined {
    try {
      return this.#frames.next();
    } catch (error) {
      this.#answerFault(error);
      return undefined;
    }
  }

  #receive(frame: Frame): void {
    try {
      if (this.#phase !== undefined) this.#phase.receive(frame);
      else this.#receiveLogin(frame);
    } catch (error) {
      this.#answerFault(error);
    }
  }

  #receiveLogin(frame: Frame): void {
    const request = decodeLoginRequest(frame);
    // 11.13.3: before there is a session there is a window too, in which only the login fits.
    if (this.#loginRequest === undefined) this.#replies.follow(windowOfLogin(request));
    this.#loginRequest = request;
    this.#answerLogin(request, () => this.#login.receive(request));
  }

  #answerLogin(request: LoginRequest, decide: () => LoginReply): void {
    let reply: LoginReply;
    try {
      reply = decide();
    } catch (error) {
      if (!isForWantOfRoom(error) || !this.#awaitRoom(request)) throw error;
      return;
    }
    this.#replies.loginResponse(request, reply);
    if (this.#login.complete) {
      this.#stage = "fullFeature";
      this.#frames.resize(Limits.receiveBufferBytes, Limits.dataSegmentBytes);
      // 6.3: the login itself, its last response included, is without digests.
      const digests = new Digests(this.#login.negotiation.connectionParameters());
      this.#frames.expectDigests(digests);
      this.#replies.addDigests(digests);
    }
  }

  /** Waits, once, until those who are gone have been found out; false when there is nothing to wait for. */
  #awaitRoom(request: LoginRequest): boolean {
    const search = this.#hasAwaitedRoom ? undefined : this.#owner.findRoom();
    this.#hasAwaitedRoom = true;
    if (search === undefined) return false;
    this.#obstacle = search.then(() => this.#answerLoginAgain(request));
    return true;
  }

  #answerLoginAgain(request: LoginRequest): void {
    if (this.#stage !== "login") return;
    try {
      this.#answerLogin(request, () => this.#login.reply(request));
    } catch (error) {
      this.#answerFault(error);
    }
  }

  /** Who guesses secrets waits before each guess, and nobody else: over how many connections does not matter. */
  #authorize(identity: LoginIdentity): Admission {
    const admission = this.#owner.authorize(this, identity);
    const delayMs = admission.chap === undefined ? 0 : this.#owner.authenticationDelayMs(this);
    if (delayMs > 0) {
      this.#obstacle = new Promise<void>((resolve) => {
        this.#cancelDelay = this.#owner.clock.after(delayMs, resolve);
      });
    }
    return admission;
  }

  /** The window is the session's: what its other connections have sent is not acknowledged by this login. */
  #admitted(identity: LoginIdentity): void {
    if (identity.tsih !== 0) this.#replies.follow(this.#owner.sessionToJoin(identity).window);
  }

  #establish(identity: LoginIdentity): number {
    this.#isEstablishing = true;
    const { cmdSN } = this.#loginRequest!;
    const parameters = this.#login.negotiation.sessionParameters();
    const { session, predecessor } = this.#owner.establish(this, identity, { parameters, cmdSN });
    this.#obstacle = predecessor;
    this.#replies.follow(session.window);
    this.#phase = this.#fullFeaturePhase(session, identity.cid);
    session.join(this.#phase);
    return session.tsih;
  }

  #fullFeaturePhase(session: Session, cid: number): FullFeaturePhase {
    const owner = this.#owner;
    return new FullFeaturePhase({
      session,
      cid,
      negotiation: this.#login.negotiation,
      replies: this.#replies,
      meter: this.#meter,
      owner: {
        ends: this.ends,
        clock: owner.clock,
        textBudget: owner.textBudget,
        isReceiving: () => this.#isReceiving,
        warn: (message) => this.#warn(message),
        overlook: (what) => this.#overlook(what),
        wake: () => this.#wake(),
        close: () => this.close(),
        finish: () => this.finish(),
        retire: () => owner.retire(session),
        resetTarget: () => owner.resetTarget(session),
        sendTargets: (value) => owner.sendTargets(this, session, value),
      },
    });
  }

  /** A peer's fault ends the connection, with a word about a login that failed; every other fault is ours. */
  #answerFault(thrown: unknown): void {
    const error = thrown instanceof ProtocolError ? thrown : this.#faultOfLogin(thrown);
    const { response } = error;
    this.#tellOf(error);
    if (response.kind === "session") return this.#owner.endSession(this.#phase!.session);
    if (response.kind === "login") this.#refused(response);
    else if (response.kind !== "redirect") return this.close();
    // A first PDU that is no Login Request has nothing that a Login Response could refer to (RFC 7143, 4.2.4).
    if (this.#loginRequest === undefined) return this.finish();
    const request = this.#loginRequest;
    const answer = (): void => {
      if (this.#isClosed) return;
      this.#replies.loginFailure(request, response);
      this.#sendLast();
    };
    if (this.#obstacle === undefined) return answer();
    this.#stage = "finishing";
    this.#obstacle.then(answer);
  }

  /**
   * A fault of our own costs a login that login only (11.13.5), as long as nothing has changed but what is its own.
   * From the moment when it may have touched a session, or anything else that others rely on, it ends us all.
   */
  #faultOfLogin(fault: unknown): ProtocolError {
    if (this.#isEstablishing) throw fault;
    return loginBroken(this.claim?.initiatorName, fault);
  }

  #tellOf({ message, response }: ProtocolError): void {
    const { log } = this.#owner;
    const told = `${this.ends.peerAddress}: ${message}`;
    // A redirection is no fault at all.
    if (response.kind === "redirect") return log.info(told, this.#eventDetails("loginRedirected"));
    const reason = response.kind === "login" ? response.reason : undefined;
    if (reason !== "fault") return this.#warn(message, reason);
    log.error(told, { ...this.#eventDetails("loginRefused"), reason });
  }

  /** Says once, to those who look for it, what a peer does against the rules that does no harm. */
  #overlook(what: string): void {
    if (this.#overlooked.has(what)) return;
    this.#overlooked.add(what);
    this.#owner.log.debug(`${this.#who}: overlooked: ${what}`, this.#eventDetails("peerFault"));
  }

  #refused(refusal: LoginRefusal & { readonly status: LoginStatus }): void {
    if (refusal.status === LoginStatus.authenticationFailure) this.#owner.authenticationFailed(this);
    this.#owner.refused(this, refusal);
  }

  /** @param reason why a login is refused, if that is what the message says */
  #warn(message: string, reason?: RefusalReason): void {
    this.#warnings++;
    if (this.#warnings > Limits.warnings) return;
    if (this.#warnings === Limits.warnings) {
      message += "; it is not told what else this connection does wrong";
    }
    const details = this.#eventDetails(reason === undefined ? "peerFault" : "loginRefused");
    this.#owner.log.warning(`${this.#who}: ${message}`, { ...details, reason });
  }

  /** The peer, as messages name it. */
  get #who(): string {
    const name = this.#login.identity?.initiatorName;
    return name === undefined ? this.ends.peerAddress : `${this.ends.peerAddress} (${name})`;
  }

  #eventDetails(event: EventKind): EventDetails {
    const { initiatorName: initiator, targetName: target } = this.claim ?? {};
    return { event, peer: this.ends.peerAddress, initiator, target };
  }

  get #isCongested(): boolean {
    return this.#phase?.isCongested ?? this.#replies.buffer.length >= Limits.sendBufferBytes;
  }

  async #untilRoom(): Promise<void> {
    this.#send();
    while (this.#isReceiving && this.#isCongested) await this.#untilProgress();
  }

  /** A long queue of one peer must not make all others wait for its end. */
  async #letOthersGo(): Promise<void> {
    this.#send();
    await yieldToSockets();
  }

  async #untilClear(): Promise<void> {
    while (this.#obstacle !== undefined && !this.#isClosed) {
      const obstacle = this.#obstacle;
      await Promise.race([obstacle, this.closed]);
      // What has waited for one obstacle may have to wait for another.
      if (this.#obstacle === obstacle) this.#obstacle = undefined;
    }
  }

  #untilProgress(): Promise<void> {
    this.#nextProgress ??= Promise.withResolvers();
    return this.#nextProgress.promise;
  }

  #progress(): void {
    this.#nextProgress?.resolve();
    this.#nextProgress = undefined;
  }

  /** Something outside of this connection's own requests made progress. */
  #wake(): void {
    if (this.#stage === "closed") return;
    this.#pump();
    if (this.#replies.buffer.length > Limits.unsentBytes) {
      this.#warn(`more than ${Limits.unsentBytes} bytes wait for it, which it does not take: closed`);
      return this.close();
    }
    this.#send();
    this.#progress();
  }

  /** There may be room for what has waited for it. */
  #pump(): void {
    if (this.#phase === undefined) return;
    this.#phase.pump();
    if (!this.#isReceiving) return;
    try {
      this.#phase.pumpCommands();
    } catch (error) {
      this.#answerFault(error);
    }
  }

  /** Begins to send what waits, unless that is under way already. */
  #send(): void {
    this.#meter.sent();
    if (this.#isSending || this.#stage === "closed" || this.#replies.buffer.length === 0) return;
    // The login is not answered yet, whoever has something to say besides.
    if (this.#obstacle !== undefined) return;
    this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    const { buffer } = this.#replies;
    this.#isSending = true;
    while (buffer.length > 0 && !this.#isClosed) {
      let bytes = buffer.take();
      try {
        while (bytes.length > 0) {
          const taken = await this.#stream.write(bytes);
          this.#takenBytes += taken;
          bytes = bytes.subarray(taken);
        }
      } catch {
        // When the peer is gone, the receiving side may wait for it; closing ends that wait.
        this.close();
      }
      this.#pump();
      // Who takes one thing after another is there, though it may have nothing to say.
      if (buffer.length > 0) this.#activity.hasCome = true;
      this.#meter.sent();
      this.#progress();
    }
    // At once after the last look at the buffer: a reply that is put in from now on begins to be sent anew.
    this.#isSending = false;
    this.#progress();
  }

  /** Waits until the last replies have been sent. */
  async #drain(): Promise<void> {
    while (this.#stage !== "closed" && (this.#isSending || this.#replies.buffer.length > 0)) {
      this.#send();
      await this.#untilProgress();
    }
  }
}

/**
 * The window until a login has proved what it has to. Of a session that it is to join it learns nothing before, and
 * nothing of what the session's other connections have sent is acknowledged.
 */
function windowOfLogin({ tsih, cmdSN }: LoginRequest): WindowNumbers {
  if (tsih === 0) return { expCmdSN: cmdSN, maxCmdSN: cmdSN };
  const expCmdSN = serialAdd(cmdSN, -Limits.commandWindow);
  return { expCmdSN, maxCmdSN: serialAdd(expCmdSN, -1) };
}
