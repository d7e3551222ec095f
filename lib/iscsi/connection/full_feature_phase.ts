/**
 * The full-feature phase of one connection (RFC 7143, 4.2 and 4.3). It takes PDUs and writes replies, and does no I/O
 * on sockets.
 *
 * A request's path: `receive` -> `RequestOrder` (decoding, CmdSN) -> `execute` -> `ScsiCommands`,
 * `TaskManagementRequests`, `TextNegotiation` or `Logout`.
 */
import type { ConnectionEnds } from "../byte_stream.ts";
import type { Clock } from "../clock.ts";
import type { NegotiatedParameters, Negotiation } from "../negotiation/negotiation.ts";
import type { TextBudget } from "../negotiation/text_budget.ts";
import { TextNegotiation } from "../negotiation/text_negotiation.ts";
import { expStatSNOf, type Frame, RESERVED_TAG } from "../pdu/header.ts";
import {
  type DataOut,
  type NopOut,
  type NumberedPdu,
  type SnackRequest,
  SnackType,
  type TextRequest,
} from "../pdu/initiator_pdus.ts";
import { rejected } from "../pdu/protocol_error.ts";
import { RejectReason } from "../pdu/reject_reason.ts";
import { InitiatorOpcode, initiatorOpcodeName } from "../pdu/opcodes.ts";
import type { KeyValue } from "../pdu/text.ts";
import type { Session, SessionConnection } from "../session/session.ts";
import type { CommandMeter } from "../task/command_meter.ts";
import type { Expectation } from "../task/expectation.ts";
import type { ScsiTask } from "../task/scsi_task.ts";
import type { ReplyWriter } from "../wire/reply_writer.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { DeferredResponses } from "./deferred_responses.ts";
import { Logout, LogoutReason } from "./logout.ts";
import type { PeerLog } from "./peer_log.ts";
import { RequestOrder, type RequestReceiver } from "./request_order.ts";
import { ScsiCommands } from "./scsi_commands.ts";
import { TaskManagementRequests } from "./task_management_requests.ts";
import { WindowAnnouncer } from "./window_announcer.ts";

/** The connection and the node, as the phase needs them. */
export interface FullFeatureOwner {
  readonly ends: ConnectionEnds;
  readonly clock: Clock;
  /** The text that all connections of the node retain. */
  readonly textBudget: TextBudget;
  /** Returns false once the connection is closed, or sends its last replies. */
  isReceiving(): boolean;
  /** Sends replies that no request from this connection caused. */
  wake(): void;
  /** Closes the connection at once. */
  close(): void;
  /** Receives nothing more, sends the remaining replies and closes the connection. */
  finish(): void;
  /** Returns the targets that SendTargets reports to this initiator, or undefined when the value is not supported. */
  sendTargets(value: string): readonly KeyValue[] | undefined;
}

/** One connection of a session, in full-feature phase. */
export class FullFeaturePhase implements SessionConnection, RequestReceiver {
  readonly replies: ReplyWriter;
  readonly session: Session;
  readonly cid: number;
  readonly #owner: FullFeatureOwner;
  readonly #negotiation: Negotiation;
  readonly #text: TextNegotiation;
  readonly #acknowledgements: Acknowledgements;
  readonly #order: RequestOrder;
  readonly #commands: ScsiCommands;
  readonly #taskManagement: TaskManagementRequests;
  readonly #logout: Logout;
  #isOver = false;

  constructor(options: {
    session: Session;
    cid: number;
    negotiation: Negotiation;
    replies: ReplyWriter;
    meter: CommandMeter;
    peerLog: PeerLog;
    owner: FullFeatureOwner;
  }) {
    const { session, cid, negotiation, replies, meter, peerLog, owner } = options;
    const { clock } = owner;
    this.session = session;
    this.cid = cid;
    this.replies = replies;
    const parameters = { ...session.parameters, ...negotiation.connectionParameters() };
    this.#negotiation = negotiation;
    this.#owner = owner;
    const deferred = new DeferredResponses(() => this.wake());
    const window = new WindowAnnouncer(session, this);
    this.#acknowledgements = new Acknowledgements(replies);
    this.#order = new RequestOrder(this, peerLog);
    this.#commands = new ScsiCommands({
      session,
      parameters,
      replies,
      meter,
      window,
      peerLog,
      carrier: this,
    });
    const parts = { session, replies, clock, deferred, peerLog, connection: this };
    this.#taskManagement = new TaskManagementRequests({ ...parts, window });
    this.#logout = new Logout(parts);
    this.#text = new TextNegotiation({
      negotiation,
      textBudget: owner.textBudget,
      sendTargets: (value) => owner.sendTargets(value),
      overlooked: (what) => peerLog.overlook(what),
    });
  }

  /** True once the connection is logged out, or its session is over. What it still receives is dropped. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get parameters(): NegotiatedParameters {
    return this.#commands.parameters;
  }

  get ends(): ConnectionEnds {
    return this.#owner.ends;
  }

  get isReceiving(): boolean {
    return this.#owner.isReceiving();
  }

  get hasRoom(): boolean {
    return !this.replies.buffer.isFull && !this.#commands.staging.isFull;
  }

  /** True when nothing more should be received until some of what is under way is done. */
  get isCongested(): boolean {
    return !this.hasRoom || (this.session.window.isFull && this.session.window.holdsFor(this));
  }

  /** True while the initiator need not send anything: its answer, or room for its data, waits for a medium. */
  get isWaitedFor(): boolean {
    return this.#isOver || this.#commands.staging.isFull;
  }

  get announcedMaxCmdSN(): number {
    return this.replies.announcedMaxCmdSN;
  }

  /**
   * Carries out a PDU, or holds it until those before it have arrived; then carries out the held PDUs whose turn has
   * come, each on the connection that it arrived over. A PDU that cannot be carried out is rejected. A rejected request
   * counts as not received (7.3): those behind it wait until its number is filled.
   *
   * @throws {ProtocolError} of kind `close`
   */
  receive(frame: Frame): void {
    this.#acknowledgements.receive(expStatSNOf(frame.header));
    if (frame.hasDataDigestError) this.#order.discard(frame);
    else this.#order.carryOut(frame);
    this.#order.carryOutHeld();
    this.session.openWindow();
  }

  carryOut(frame: Frame): void {
    this.#order.carryOut(frame);
  }

  execute(pdu: NumberedPdu): void {
    if (this.session.nexus === undefined && !isForDiscovery(pdu)) {
      throw rejected(
        RejectReason.protocolError,
        `${initiatorOpcodeName(InitiatorOpcode[pdu.kind])} is not allowed in a discovery session`,
      );
    }
    switch (pdu.kind) {
      case "scsiCommand":
        return this.#commands.start(pdu);
      case "nopOut":
        return this.#nopOut(pdu);
      case "taskManagementRequest":
        return this.#taskManagement.receive(pdu);
      case "textRequest":
        return this.#textRequest(pdu);
      case "logoutRequest":
        return this.#logout.receive(pdu);
      default:
        return pdu satisfies never;
    }
  }

  receiveData(pdu: DataOut, hasDataDigestError: boolean): boolean {
    const task = this.session.task(pdu.initiatorTaskTag);
    // The task was aborted, or answered early, while its data was on its way; or its command is held.
    if (task === undefined) {
      this.#commands.receiveLateData(pdu);
      return true;
    }
    // 4.2.5.1: all PDUs of a command use the connection that the command arrived over.
    if (task.owner !== this) {
      throw rejected(RejectReason.protocolError, "Data-Out over a connection other than that of its command");
    }
    this.#commands.receiveData(task, pdu, hasDataDigestError);
    return false;
  }

  failResent({ type, initiatorTaskTag }: SnackRequest): void {
    const isForData = type === SnackType.data || type === SnackType.resegmentedData;
    const task = isForData ? this.session.task(initiatorTaskTag) : undefined;
    if (task?.owner === this) this.#commands.failResent(task);
  }

  #nopOut(pdu: NopOut): void {
    // 11.18.1: a NOP-Out without a task tag answers a NOP-In, and is not answered itself.
    if (pdu.initiatorTaskTag === RESERVED_TAG) return;
    this.replies.nopIn(pdu, pdu.data.subarray(0, this.parameters.initiatorMaxRecvDataSegmentLength));
  }

  #textRequest(pdu: TextRequest): void {
    // 11.9.1: commands continue until the logout. New parameters for them would serve no purpose.
    if (pdu.targetTransferTag === RESERVED_TAG && this.#logout.isRequested) {
      throw rejected(
        RejectReason.waitingForLogout,
        "Text request over a connection that should log out",
      );
    }
    const reply = this.#text.receive(pdu, this.parameters.initiatorMaxRecvDataSegmentLength);
    // Only the length of the initiator's data segments can have changed.
    this.#commands.parameters = { ...this.parameters, ...this.#negotiation.connectionParameters() };
    this.replies.textResponse(pdu, reply);
  }

  /** Moves data that waits for room. */
  pump(): void {
    this.#commands.pump();
  }

  /**
   * Carries out commands that have waited for room.
   *
   * @throws {ProtocolError} of kind `close`
   */
  pumpCommands(): void {
    if (!this.session.window.isStalled || !this.hasRoom) return;
    this.#order.carryOutHeld();
    this.session.openWindow();
  }

  /** Ends the commands that have waited too long for the initiator. Called once a second. */
  watchTransfers(): void {
    if (!this.#isOver) this.#commands.watchTransfers();
  }

  taskAborted(task: ScsiTask): Promise<unknown> | undefined {
    return this.#commands.aborted(task);
  }

  awaitData(targetTransferTags: readonly number[]): Expectation {
    return this.#commands.awaitData(targetTransferTags);
  }

  awaitAcknowledgement(): Expectation | undefined {
    const expectation = this.#acknowledgements.expect();
    if (expectation === undefined) return undefined;
    // The answer to a ping acknowledges what the initiator has received.
    this.replies.ping();
    this.wake();
    return expectation;
  }

  requestLogout(seconds: number): void {
    this.#logout.request(seconds);
  }

  announceWindow(): void {
    this.replies.nopInForWindow();
    this.wake();
  }

  announceDrop(cid: number): void {
    this.replies.connectionDropped(cid, this.parameters);
    this.wake();
  }

  announceEnd(): void {
    this.replies.sessionDropped(this.parameters);
  }

  endRequests(): void {
    this.#isOver = true;
    this.#logout.end();
    this.#text.abandon();
    this.#acknowledgements.giveUp();
    this.#commands.end();
  }

  close(): void {
    this.#owner.close();
  }

  finish(): void {
    this.#owner.finish();
  }

  wake(): void {
    this.#owner.wake();
  }
}

/**
 * Returns true for the requests of a discovery session: text, and the logout that closes it (4.3). A NOP-Out that
 * answers a ping is allowed too, since it requests nothing.
 */
function isForDiscovery(pdu: NumberedPdu): boolean {
  switch (pdu.kind) {
    case "textRequest":
      return true;
    case "logoutRequest":
      return pdu.reason === LogoutReason.closeSession;
    case "nopOut":
      return pdu.initiatorTaskTag === RESERVED_TAG;
    default:
      return false;
  }
}
