/**
 * One connection, through the stages `login` -> `fullFeature` -> `finishing` -> `closed`. A stage is never left
 * backwards.
 *
 * This is the only file here that uses a socket, as a `ByteStream`. Receiving and sending run at the same time, so a
 * peer that sends before it reads does not block itself. When too many replies wait to be sent, nothing more is
 * received: a peer that never reads delays only itself.
 */
import type { ByteStream, ConnectionEnds } from "../byte_stream.ts";
import type { Clock } from "../clock.ts";
import type { EventLog } from "../events/event_log.ts";
import { Limits } from "../limits.ts";
import type { Negotiation } from "../negotiation/negotiation.ts";
import type { TextBudget } from "../negotiation/text_budget.ts";
import type { Frame } from "../pdu/header.ts";
import { ProtocolError } from "../pdu/protocol_error.ts";
import type { KeyValue } from "../pdu/text.ts";
import type { Session } from "../session/session.ts";
import { CommandMeter } from "../task/command_meter.ts";
import { Digests } from "../wire/digests.ts";
import { FrameBuffer } from "../wire/framing.ts";
import { ReplyWriter } from "../wire/reply_writer.ts";
import { FullFeaturePhase } from "./full_feature_phase.ts";
import type { LargeSendBuffer } from "./large_send_buffer.ts";
import { Liveness } from "./liveness.ts";
import { ReplySender } from "./reply_sender.ts";
import { LoginPhase, type LoginRules, type SessionEstablishment } from "./login_phase.ts";
import { type LoggedPeer, PeerLog } from "./peer_log.ts";
import type { TimeSlices } from "./time_slices.ts";
import { yieldToSockets } from "./yield_to_sockets.ts";
import type { LoginIdentity } from "../login/identity.ts";

/** The node that a connection is made to. */
export interface ConnectionOwner {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly timeSlices: TimeSlices;
  readonly largeSendBuffer: LargeSendBuffer;
  readonly textBudget: TextBudget;
  readonly rules: LoginRules;
  readonly establishment: SessionEstablishment;
  /** Returns the targets that SendTargets reports, or undefined when the value is not supported. */
  sendTargets(ends: ConnectionEnds, session: Session, value: string): readonly KeyValue[] | undefined;
  /** Called when a connection begins to send its last replies. */
  connectionLeaves(connection: Connection): void;
}

type Stage = "login" | "fullFeature" | "finishing" | "closed";

/** A peer, from its acceptance until the connection is closed. */
export class Connection implements LoggedPeer {
  readonly ends: ConnectionEnds;
  readonly liveness: Liveness;
  readonly #stream: ByteStream;
  readonly #owner: ConnectionOwner;
  readonly #replies = new ReplyWriter();
  readonly #frames = new FrameBuffer(Limits.receiveBufferLoginBytes, Limits.loginDataSegmentBytes);
  readonly #meter: CommandMeter;
  readonly #peerLog: PeerLog;
  readonly #login: LoginPhase;
  /** Set as soon as the login has a session, before its final response. */
  #fullFeature: FullFeaturePhase | undefined;
  #stage: Stage = "login";
  readonly #sender: ReplySender;
  readonly #closed = Promise.withResolvers<void>();
  /** Resolves at the next progress: something was sent or completed, or the connection was closed. */
  #nextProgress: PromiseWithResolvers<void> | undefined;
  /** Nothing is received or sent until this resolves: the login is delayed, or a replaced session has not settled. */
  #obstacle: Promise<unknown> | undefined;

  constructor(stream: ByteStream, ends: ConnectionEnds, owner: ConnectionOwner) {
    this.#stream = stream;
    this.ends = ends;
    this.#owner = owner;
    this.#meter = new CommandMeter(owner.clock);
    this.#peerLog = new PeerLog(owner.log, this);
    this.#login = this.#loginPhase();
    this.#sender = new ReplySender(stream, this.#replies.buffer, {
      isClosed: () => this.#isClosed,
      sent: () => this.#sent(),
      // A peer that keeps reading is alive, even if it sends nothing.
      isTaking: () => this.liveness.confirm(),
      idle: () => this.#progress(),
      close: () => this.close(),
    });
    this.liveness = this.#observe();
  }

  /** The names that the initiator claims; undefined before its first login request. */
  get claim(): LoginIdentity | undefined {
    return this.#login.claim;
  }

  /** The same once the initiator has been admitted. */
  get identity(): LoginIdentity | undefined {
    return this.#login.identity;
  }

  /** True while the connection has no session, and counts against the limits of those. */
  get isInLogin(): boolean {
    return this.#fullFeature === undefined && this.#stage !== "closed";
  }

  /** True while the connection only sends its last replies. */
  get isLeaving(): boolean {
    return this.#stage === "finishing";
  }

  /** True once the initiator has been admitted. */
  get isIdentified(): boolean {
    return this.identity !== undefined && !this.isLeaving;
  }

  /** Returns true for the CHAP challenge that the initiator has not answered yet. */
  isOutstanding(challenge: Uint8Array): boolean {
    return this.isInLogin && this.#login.isOutstanding(challenge);
  }

  /** Resolves when the connection is closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Serves the peer until the connection is closed. Never rejects for a fault of the peer. */
  async run(): Promise<void> {
    this.#login.start();
    try {
      await this.#receiveUntilEnd();
      // The peer sends nothing more, but may still read the remaining replies.
      this.finish();
      await this.closed;
    } finally {
      this.close();
    }
  }

  /** Closes the connection at once, and its session when this is the last one. */
  close(): void {
    if (this.#stage === "closed") return;
    this.#stage = "closed";
    this.#closed.resolve();
    this.#progress();
    this.#login.end();
    this.#fullFeature?.session.lose(this.#fullFeature);
    this.#stream.close();
    // A slow medium may keep work of this connection for long. Its buffers are released now.
    this.#frames.release();
    this.#replies.buffer.release();
  }

  /** Receives nothing more, sends the remaining replies and closes the connection. */
  finish(): void {
    if (this.#isReceiving) this.#sendLast();
  }

  #finishWith(writeLast: () => void): void {
    const finish = (): void => {
      if (this.#isClosed) return;
      writeLast();
      this.#sendLast();
    };
    if (this.#obstacle === undefined) return finish();
    this.#stage = "finishing";
    this.#owner.connectionLeaves(this);
    this.#obstacle.then(finish);
  }

  #sendLast(): void {
    this.#stage = "finishing";
    this.#owner.connectionLeaves(this);
    this.#frames.release();
    const cancelDeadline = this.#owner.clock.after(Limits.finishMs, () => this.close());
    this.#drain().finally(() => {
      cancelDeadline();
      this.close();
    });
  }

  #loginPhase(): LoginPhase {
    const { clock, rules, establishment } = this.#owner;
    return new LoginPhase({
      replies: this.#replies,
      peerLog: this.#peerLog,
      owner: {
        ends: this.ends,
        clock,
        rules,
        establishment,
        isReceiving: () => this.#isReceiving,
        waitFor: (obstacle) => this.#obstacle = obstacle,
        enterSession: (session, cid, negotiation) => this.#enterSession(session, cid, negotiation),
        complete: (negotiation) => this.#enterFullFeaturePhase(negotiation),
        answerFault: (thrown) => this.#answerFault(thrown),
        finishWith: (writeLast) => this.#finishWith(writeLast),
        finish: () => this.finish(),
        close: () => this.close(),
      },
    });
  }

  #observe(): Liveness {
    return new Liveness({
      isInFullFeaturePhase: () => this.#stage === "fullFeature",
      isWaitedFor: () => this.#obstacle !== undefined || this.#fullFeature!.isWaitedFor,
      checkSlowReader: () => this.#sender.checkSlowReader(),
      watchTransfers: () => this.#fullFeature!.watchTransfers(),
      ping: () => {
        this.#replies.ping();
        this.#wake();
      },
      giveUp: (reason) => this.#giveUp(reason),
    });
  }

  #enterSession(session: Session, cid: number, negotiation: Negotiation): void {
    const { clock, textBudget } = this.#owner;
    this.#fullFeature = new FullFeaturePhase({
      session,
      cid,
      negotiation,
      replies: this.#replies,
      meter: this.#meter,
      peerLog: this.#peerLog,
      owner: {
        ends: this.ends,
        clock,
        textBudget,
        isReceiving: () => this.#isReceiving,
        wake: () => this.#wake(),
        close: () => this.close(),
        finish: () => this.finish(),
        sendTargets: (value) => this.#owner.sendTargets(this.ends, session, value),
      },
    });
    session.join(this.#fullFeature);
  }

  #enterFullFeaturePhase(negotiation: Negotiation): void {
    this.#stage = "fullFeature";
    this.#frames.resize(Limits.receiveBufferBytes, Limits.dataSegmentBytes);
    // 6.3: the login itself has no digests, its last response included.
    const digests = new Digests(negotiation.connectionParameters());
    this.#frames.expectDigests(digests);
    this.#replies.addDigests(digests);
  }

  /**
   * Receives and carries out PDUs until nothing more is to be received. This is one function, and awaits only what the
   * stream returns, because each further promise delays every command of a peer that sends one at a time.
   */
  async #receiveUntilEnd(): Promise<void> {
    const { timeSlices, largeSendBuffer } = this.#owner;
    while (this.#isReceiving) {
      let count: number | null;
      try {
        count = await this.#stream.read(this.#frames.space());
      } catch {
        return;
      }
      if (count === null || !this.#isReceiving) return;
      this.#frames.received(count);
      this.liveness.confirm();
      this.#meter.received();
      largeSendBuffer.received(this.#replies.buffer);
      const slicePdus = timeSlices.lengthFor(this);
      let pdus = 0;
      for (let frame = this.#nextFrame(); frame !== undefined; frame = this.#nextFrame()) {
        this.#receive(frame);
        pdus++;
        if (pdus % slicePdus === 0) await this.#yield();
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
      if (this.#fullFeature !== undefined) this.#fullFeature.receive(frame);
      else this.#login.receive(frame);
    } catch (error) {
      this.#answerFault(error);
    }
  }

  /** Ends the connection, its login or its session for a fault of the peer. A fault of the target's own is thrown. */
  #answerFault(thrown: unknown): void {
    const error = thrown instanceof ProtocolError ? thrown : this.#login.faultOf(thrown);
    this.#peerLog.fault(error);
    switch (error.response.kind) {
      case "session":
        return this.#fullFeature!.session.abort();
      case "login":
      case "redirect":
        return this.#login.refuse(error.response);
      default:
        return this.close();
    }
  }

  get #isCongested(): boolean {
    return this.#fullFeature?.isCongested ?? this.#login.isCongested;
  }

  async #untilRoom(): Promise<void> {
    this.#send();
    while (this.#isReceiving && this.#isCongested) await this.#untilProgress();
  }

  /** Lets other connections run: a long queue of one peer must not delay all others. */
  async #yield(): Promise<void> {
    this.#send();
    await yieldToSockets();
  }

  async #untilClear(): Promise<void> {
    while (this.#obstacle !== undefined && !this.#isClosed) {
      const obstacle = this.#obstacle;
      await Promise.race([obstacle, this.closed]);
      // One obstacle may have been followed by another.
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

  /** Sends replies that no request from this connection caused. */
  #wake(): void {
    if (this.#stage === "closed") return;
    this.#pump();
    if (this.#replies.buffer.isExceeded) return this.#giveUp("too many replies that the peer does not read");
    this.#send();
    this.#progress();
  }

  /** Moves data and carries out commands that have waited for room. */
  #pump(): void {
    this.#fullFeature?.pump();
    if (!this.#isReceiving) return;
    try {
      this.#fullFeature?.pumpCommands();
    } catch (error) {
      this.#answerFault(error);
    }
  }

  /** Starts to send the replies, unless that is under way already. */
  #send(): void {
    this.#meter.sent();
    // While the login response is delayed, nothing may overtake it.
    if (this.#stage !== "closed" && this.#obstacle === undefined) this.#sender.send();
  }

  #sent(): void {
    this.#pump();
    this.#meter.sent();
    this.#progress();
  }

  /** Waits until the last replies have been sent. */
  async #drain(): Promise<void> {
    while (this.#stage !== "closed" && !this.#sender.isIdle) {
      this.#send();
      await this.#untilProgress();
    }
  }

  #giveUp(reason: string): void {
    this.#peerLog.warn(`${reason}; closing the connection`);
    this.close();
  }
}
