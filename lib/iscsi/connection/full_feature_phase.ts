/**
 * Full-feature phase of one connection (RFC 7143, 4.2 and 4.3): PDUs in, replies out, no I/O on sockets.
 *
 * A command's way: `receive` -> `#inOrder` (CmdSN) -> `#execute` -> the nexus, which answers with an operation ->
 * `proceed`, which answers it or hands it to the queue that moves its data.
 */
import { kindOfCommand } from "../../scsi/dispatch/command_table.ts";
import { checkCondition, refused, TASK_SET_FULL } from "../../scsi/outcome/finished.ts";
import type {
  DataOut as DataOutOperation,
  Finished,
  Later,
  Operation,
} from "../../scsi/outcome/operation.ts";
import { GOOD, type Outcome } from "../../scsi/outcome/outcome.ts";
import { Sense } from "../../scsi/outcome/sense.ts";
import type { CommandMeter } from "../task/command_meter.ts";
import { AwaitedAcknowledgements } from "./acknowledgements.ts";
import { AwaitedData } from "../task/awaited_data.ts";
import type { Clock } from "../clock.ts";
import { CollectedData } from "../task/collected_data.ts";
import { DataInQueue } from "../task/data_in_queue.ts";
import { DataOutQueue } from "../task/data_out_queue.ts";
import type { Expectation } from "../task/expectation.ts";
import {
  cmdSNOf,
  type DataOut,
  decodePdu,
  type LogoutRequest,
  type NopOut,
  type NumberedPdu,
  type ScsiCommand,
  type SnackRequest,
  SnackType,
  type TaskManagementRequest,
  type TextRequest,
} from "../pdu/initiator_pdus.ts";
import { LingeringTasks } from "../task/lingering_tasks.ts";
import { Limits } from "../limits.ts";
import { InitiatorOpcode, initiatorOpcodeName } from "../pdu/opcodes.ts";
import type { NegotiatedParameters, Negotiation } from "../negotiation/negotiation.ts";
import { type NegotiationOutcome, NegotiationRequest } from "../negotiation/negotiation_request.ts";
import { connectionBroken, isRejection, rejected, type Rejection } from "../pdu/protocol_error.ts";
import { RejectReason } from "../pdu/reject_reason.ts";
import type { ReplyWriter } from "../wire/reply_writer.ts";
import type { TextBudget } from "../negotiation/text_budget.ts";
import { ScsiTask } from "../task/scsi_task.ts";
import type { Session, SessionConnection } from "../session/session.ts";
import { Staging } from "../task/staging.ts";
import {
  manageTasks,
  sparedTasks,
  TaskManagementFunctionCode,
  TaskManagementResponseCode,
  TaskSetScope,
} from "../session/task_management.ts";
import type { KeyValue } from "../pdu/text.ts";
import { TextNegotiation } from "../negotiation/text_negotiation.ts";
import { type Overdue, TransferWatch } from "../task/transfer_watch.ts";
import type { Work } from "../task/work_under_way.ts";
import { expStatSNOf, type Frame, opcodeOf, RESERVED_TAG } from "../pdu/header.ts";
import type { ConnectionEnds } from "../byte_stream.ts";

/** Reasons of a Logout Request and responses to it (RFC 7143, 11.14.1 and 11.15.1). */
const LogoutReason = { closeSession: 0, closeConnection: 1, removeForRecovery: 2 } as const;
const LogoutResponse = { success: 0, cidNotFound: 1, recoveryNotSupported: 2 } as const;

/** RFC 7143, 11.4.7.2: what ends a command whose data is asked for again. */
const SNACK_REJECTED = checkCondition(Sense.readErrorFailedRetransmissionRequest);

/** RFC 7143, 7.1.4.1: what ends a command whose data does not come, and one whose data is not taken. */
const DATA_OUT_OVERDUE = checkCondition(Sense.protocolServiceCrcError);
const DATA_IN_OVERDUE = checkCondition(Sense.initiatorResponseTimeout);

/** Why a command that waits for its initiator is given up, for the log. */
const WHY_OVERDUE: Readonly<Record<Overdue, string>> = {
  silence: `no data came for ${Limits.dataOutSilenceSeconds} s, although data was due`,
  slowness: `its data did not come within ${Limits.dataOutSeconds} s and a second for each ` +
    `${Limits.dataOutBytesPerSecond} bytes`,
  blocking:
    `the initiator kept it waiting for ${Limits.blockingSeconds} s, and another command waits for its blocks`,
};

/** What the phase needs of the connection and the node it belongs to. */
export interface FullFeatureOwner {
  readonly ends: ConnectionEnds;
  readonly clock: Clock;
  /** What all connections of the node keep of texts. */
  readonly textBudget: TextBudget;
  /** Tells the log what the peer did wrong. */
  warn(message: string): void;
  /** Tells the log, once for each kind, what the peer did wrong that does no harm. */
  overlook(what: string): void;
  /** Something is to be sent that no request from this connection brought about. */
  wake(): void;
  /** The connection is closed at once. */
  close(): void;
  /** The initiator is asked to log out, and has so long to do it. */
  requestLogout(seconds: number): void;
  /** It has been asked to, and that time is not over. */
  isAskedToLogOut(): boolean;
  /** Nothing more is received; what waits is sent, and then the connection is closed. */
  finish(): void;
  /** The session is over: its tasks end, and its nexus. */
  retire(): void;
  /** Work that goes on, whatever becomes of its task. */
  underWay(work: Work): void;
  /** Resolves when none of it can change a medium any more, of one LUN or of all; undefined when none can now. */
  settled(lun?: number): Promise<unknown> | undefined;
  /** TARGET COLD RESET: every session with this session's target ends. */
  resetTarget(): void;
  /** The targets that this initiator may be told of, for a SendTargets; undefined when the value is not served here. */
  sendTargets(value: string): readonly KeyValue[] | undefined;
}

/** One connection of a session. */
export class FullFeaturePhase implements SessionConnection {
  readonly replies: ReplyWriter;
  readonly staging = new Staging();
  parameters: NegotiatedParameters;
  readonly session: Session;
  readonly cid: number;
  readonly #owner: FullFeatureOwner;
  readonly #meter: CommandMeter;
  readonly #negotiation: Negotiation;
  readonly #dataIn: DataInQueue;
  readonly #dataOut: DataOutQueue;
  readonly #negotiationRequest: NegotiationRequest;
  readonly #text: TextNegotiation;
  readonly #transferWatch = new TransferWatch();
  readonly #awaitedData = new AwaitedData();
  /** Undefined until somebody has waited for one. */
  #awaitedAcknowledgements: AwaitedAcknowledgements | undefined;
  /** The initiator has logged out: what it may have sent besides is not carried out. */
  #isOver = false;
  /** Tasks that wait for something, and whose data was asked for a second time. */
  readonly #snacked = new Set<ScsiTask>();
  readonly #lingering: LingeringTasks;
  /** MaxCmdSN may have changed, and it is about to be looked whether the initiator knows. */
  #isAboutToTell = false;
  /** The window was closed, and has been opened since the initiator was told of it. */
  #hasReopened = false;
  /** Responses that wait for work under way. */
  #waitingResponses = 0;

  constructor(options: {
    session: Session;
    cid: number;
    negotiation: Negotiation;
    replies: ReplyWriter;
    meter: CommandMeter;
    owner: FullFeatureOwner;
  }) {
    this.session = options.session;
    this.replies = options.replies;
    this.#negotiation = options.negotiation;
    this.parameters = { ...options.session.parameters, ...options.negotiation.connectionParameters() };
    this.#meter = options.meter;
    this.#owner = options.owner;
    this.cid = options.cid;
    this.#lingering = new LingeringTasks(options.session);
    this.#dataIn = new DataInQueue(this);
    this.#dataOut = new DataOutQueue(this);
    this.#negotiationRequest = new NegotiationRequest(options.owner.clock, () => this.#askToNegotiate());
    this.#text = new TextNegotiation({
      negotiation: options.negotiation,
      request: this.#negotiationRequest,
      declarations: () => this.#declarations(),
      textBudget: options.owner.textBudget,
      sendTargets: (value) => this.#owner.sendTargets(value),
    });
  }

  /** The initiator has logged out, or the session is over. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get ends(): ConnectionEnds {
    return this.#owner.ends;
  }

  get hasRoom(): boolean {
    return this.replies.buffer.length < Limits.sendBufferBytes && !this.staging.isFull;
  }

  /** Enough is under way: nothing more should be received until some of it has gone. */
  get isCongested(): boolean {
    return !this.hasRoom || (this.session.window.isFull && this.session.window.holdsFor(this));
  }

  /**
   * Carries out a PDU, or keeps it until those before it have come, and then those that have waited for it, each over
   * the connection that it came over. A PDU that cannot be carried out is rejected; a request counts as not received
   * then (7.3), so that those behind it wait until its number is filled.
   *
   * @throws {ProtocolError} of kind `close`
   */
  receive(frame: Frame): void {
    this.replies.acknowledge(expStatSNOf(frame.header));
    this.#awaitedAcknowledgements?.update((statSN) => this.replies.isAcknowledged(statSN));
    if (frame.hasDataDigestError) this.#discard(frame);
    else this.carryOut(frame);
    this.#carryOutHeld();
    this.session.openWindow();
  }

  /** Carries out what has waited for its turn, on whatever connection, as long as there is room there. */
  #carryOutHeld(): void {
    const { window } = this.session;
    for (let held = window.release(); held !== undefined; held = window.release()) {
      for (const frame of held.frames) held.receiver.carryOut(frame);
      if (held.receiver !== this) held.receiver.wake();
    }
  }

  /**
   * RFC 7143, 7.8: a PDU whose data is not what was sent is rejected. A request counts as not received (7.3): its
   * CmdSN stays open, for the initiator to send it once more or to abort it. A Data-Out costs its command. A second
   * copy of a request that was received is no more than ignored: a Reject would say of that request that it was not.
   */
  #discard(frame: Frame): void {
    if (this.#isOver) return;
    const opcode = opcodeOf(frame.header);
    this.#owner.warn(`Data digest error in ${initiatorOpcodeName(opcode)}`);
    if (this.#isIgnored(frame)) return;
    this.#reject(RejectReason.dataDigestError, frame);
    if (opcode === InitiatorOpcode.dataOut) this.carryOut(frame);
  }

  /** Additional headers can be longer than the shortest data segment that an initiator may take. */
  #reject(reason: RejectReason, { header }: Frame): void {
    this.replies.reject(reason, header.subarray(0, this.parameters.initiatorMaxRecvDataSegmentLength));
  }

  /** Carries out one PDU, or keeps it until those before it have come. */
  carryOut(frame: Frame): void {
    if (this.#isOver) return;
    try {
      const pdu = this.#decode(frame);
      if (pdu === undefined) return;
      if (pdu.kind === "dataOut") this.#receiveData(pdu, frame);
      else if (pdu.kind === "snackRequest") this.#snackRequest(pdu, frame);
      else if (pdu.immediate) this.#executeImmediate(pdu, frame);
      else this.#inOrder(pdu, frame);
    } catch (error) {
      if (!isRejection(error)) throw error;
      this.#refuse(error, frame);
    }
  }

  #refuse({ message, response }: Rejection, frame: Frame): void {
    this.#owner.warn(message);
    this.#reject(response.reason, frame);
  }

  /**
   * @returns undefined for a request that is to be ignored
   * @throws {ProtocolError}
   */
  #decode(frame: Frame): NumberedPdu | DataOut | SnackRequest | undefined {
    try {
      return decodePdu(frame);
    } catch (error) {
      if (this.#isIgnored(frame)) return undefined;
      throw error;
    }
  }

  /** 4.2.2.1: what lies outside the window, or is there already, is ignored whatever it is. */
  #isIgnored(frame: Frame): boolean {
    const cmdSN = cmdSNOf(frame);
    if (cmdSN === undefined) return false;
    const { window } = this.session;
    return window.place(cmdSN) === "outside" || window.isFilled(cmdSN);
  }

  /** Sends data that waits for room. */
  pump(): void {
    this.#dataIn.pump();
    this.#dataOut.pump();
  }

  /**
   * Carries out commands that have waited for room.
   *
   * @throws {ProtocolError} of kind `close`
   */
  pumpCommands(): void {
    if (!this.session.window.isStalled || !this.hasRoom) return;
    this.#carryOutHeld();
    this.session.openWindow();
  }

  /** Gives up the commands that wait for the initiator for too long. Called once a second. */
  watchTransfers(): void {
    // What is not listened to cannot bring what it owes: then a medium is waited for.
    if (this.staging.isFull) return;
    const overdue = this.#transferWatch.look(this.session.tasksOf(this), this.#dataOut.receivedPdus);
    if (overdue.size === 0) return;
    for (const [why, { length }] of Map.groupBy(overdue.values(), (why) => why)) {
      this.#owner.warn(`${length} of its commands end: ${WHY_OVERDUE[why]}`);
    }
    for (const task of overdue.keys()) {
      if (task.dataOut !== undefined) this.#dataOut.giveUp(task, DATA_OUT_OVERDUE);
      else this.#dataIn.giveUp(task, DATA_IN_OVERDUE);
    }
    this.wake();
  }

  #receiveData(pdu: DataOut, frame: Frame): void {
    const task = this.session.task(pdu.initiatorTaskTag);
    // Data of a task that was aborted, or was answered early, is still on its way: it is dropped without a word.
    if (task === undefined) {
      this.#awaitedData.receive(pdu);
      if (this.session.window.holdData(pdu.initiatorTaskTag, frame, this)) this.#checkHeld();
      return;
    }
    // 4.2.5.1: all PDUs of a command go over the connection that it came over.
    if (task.owner !== this) {
      throw rejected(RejectReason.protocolError, "Data-Out over another connection than its command");
    }
    this.#dataOut.receive(task, pdu, frame.hasDataDigestError);
  }

  /**
   * At error recovery level 0 nothing is sent a second time: the command whose data is asked for again ends (7.8).
   * Nor does a Data-In ask to be acknowledged (the A bit, 11.7.2), so that the tag which a DataACK has to repeat
   * (11.16.5) was never given out.
   */
  #snackRequest({ type, initiatorTaskTag }: SnackRequest, frame: Frame): void {
    if (type === SnackType.dataAck) {
      throw rejected(RejectReason.invalidDataAck, "DataACK for no Data-In that has asked for it");
    }
    this.#refuse(rejected(RejectReason.snackReject, "SNACK at error recovery level 0"), frame);
    const isForData = type === SnackType.data || type === SnackType.resegmentedData;
    const task = isForData ? this.session.task(initiatorTaskTag) : undefined;
    if (task === undefined || task.owner !== this) return;
    if (task.dataIn !== undefined) this.#dataIn.giveUp(task, SNACK_REJECTED);
    else if (task.dataOut !== undefined) this.#dataOut.giveUp(task, SNACK_REJECTED);
    else this.#snacked.add(task);
  }

  #inOrder(pdu: NumberedPdu, frame: Frame): void {
    const window = this.session.window;
    const place = window.place(pdu.cmdSN);
    if (place === "early") {
      window.hold(pdu.cmdSN, pdu.initiatorTaskTag, frame, this);
      this.#checkHeld();
    }
    if (place !== "next") return;
    window.advance();
    // Whatever is answered at once says how far the window is open behind it. A SCSI command may take its time.
    if (pdu.kind !== "scsiCommand") this.session.openWindow();
    try {
      this.#execute(pdu);
    } catch (error) {
      // 7.3: a request that is rejected was not received; its initiator fills the gap, or aborts the task.
      if (isRejection(error)) window.retreat();
      throw error;
    }
  }

  /**
   * Each connection carries commands in the order of their numbers (4.2.2.1): those that have sent ahead wait until
   * another has brought what they lack. When all have, it was lost or rejected, and no connection that is listened to
   * would be left to fill the gap.
   */
  #checkHeld(): void {
    const { window, connections } = this.session;
    if (!window.isFull || window.isStalled) return;
    if (connections.values().some((connection) => !window.holdsFor(connection))) return;
    throw connectionBroken(`More than ${Limits.heldCommandBytes} bytes of commands wait for an earlier one`);
  }

  #executeImmediate(pdu: NumberedPdu, frame: Frame): void {
    const { window } = this.session;
    if (pdu.kind !== "taskManagementRequest" || !window.isAhead(pdu.cmdSN)) return this.#execute(pdu);
    // 4.2.3.3 b: what ends a set of tasks ends those, too, that were sent before it and are still on their way.
    switch (TaskSetScope[pdu.function]) {
      case "target":
        window.plug(pdu.cmdSN);
        return this.#execute(pdu);
      case "logicalUnit":
        if (window.heldBehind < Limits.immediateCommands) {
          return window.holdBehind(pdu.cmdSN, pdu.initiatorTaskTag, frame, this);
        }
        throw rejected(RejectReason.immediateCommandReject, "Too many task management requests");
      default:
        return this.#execute(pdu);
    }
  }

  #execute(pdu: NumberedPdu): void {
    if (this.session.nexus === undefined && !isForDiscovery(pdu)) {
      throw rejected(RejectReason.protocolError, `${pdu.kind} in a discovery session`);
    }
    switch (pdu.kind) {
      case "scsiCommand":
        return this.#scsiCommand(pdu);
      case "nopOut":
        return this.#nopOut(pdu);
      case "taskManagementRequest":
        return this.#taskManagementRequest(pdu);
      case "textRequest":
        return this.#textRequest(pdu);
      case "logoutRequest":
        return this.#logoutRequest(pdu);
      default:
        return pdu satisfies never;
    }
  }

  #scsiCommand(pdu: ScsiCommand): void {
    const { session } = this;
    if (session.task(pdu.initiatorTaskTag) !== undefined) {
      throw rejected(RejectReason.taskInProgress, `Initiator task tag ${pdu.initiatorTaskTag} is in use`);
    }
    if (pdu.immediate && !session.hasRoomForImmediate) {
      throw rejected(RejectReason.immediateCommandReject, "Too many immediate commands");
    }
    // A discovery session has none, and no command gets here.
    const nexus = session.nexus!;
    const traffic = nexus.trafficOf(pdu.lun);
    const task = new ScsiTask(pdu, kindOfCommand(pdu.cdb), traffic, this);
    const operation = inDirection(pdu, nexus.submit(pdu.lun, pdu.cdb, task));
    if (operation.kind === "dataOut") this.#dataOut.start(task, operation, pdu);
    else if (operation.kind === "later" && operation.mayTakeData === true) {
      this.#collectThen(task, operation, pdu);
    } else if (pdu.final) this.proceed(task, operation);
    else this.#discardThen(task, operation, pdu);
    if (task.isAnswered) return task.isDormant ? nexus.leave(task.lun, task) : undefined;
    this.#meter.postponed(task);
    session.list(task);
  }

  /** Unsolicited data follows that nothing wants: it is taken off the stream before the command goes on. */
  #discardThen(task: ScsiTask, operation: Operation, pdu: ScsiCommand): void {
    // What completes later has begun all the same.
    if (operation.kind === "later") this.#workOf(task, operation);
    this.#dataOut.start(task, discarding(operation, () => this.#abandon(task, operation)), pdu);
  }

  /** Gives up an operation that nobody waits for any more, with whatever it holds of the medium. */
  #abandon(task: ScsiTask, operation: Operation): void {
    if (operation.kind !== "later") return abandon(operation);
    this.linger(task, 1);
    operation.cancel?.();
    operation.operation.then((next) => {
      abandon(next);
      this.pieceEnded(task);
    });
  }

  linger(task: ScsiTask, pieces: number): void {
    this.#lingering.add(task, pieces);
  }

  pieceEnded(task: ScsiTask): void {
    if (this.#lingering.pieceEnded(task)) this.#tellOfWindow();
  }

  /** The command waits for its turn, and then may want the data that comes unasked meanwhile: that is kept for it. */
  #collectThen(task: ScsiTask, later: Later, pdu: ScsiCommand): void {
    const { firstBurstLength } = this.parameters;
    const lengthBytes = pdu.final ? pdu.data.length : Math.min(firstBurstLength, pdu.expectedDataOut);
    const giveUp = (): void => this.#abandon(task, later);
    task.collected = CollectedData.of(lengthBytes, later, this.session.nexus!.collected, giveUp);
    if (task.collected === undefined) {
      abandon(later);
      if (pdu.final) this.proceed(task, TASK_SET_FULL);
      else this.#discardThen(task, TASK_SET_FULL, pdu);
    } else if (pdu.final && lengthBytes === 0) this.proceed(task, later);
    else this.#dataOut.start(task, task.collected, pdu);
  }

  /** A command whose turn has come begins, with the data that was kept for it. */
  #beginWith(task: ScsiTask, operation: Operation, collected: CollectedData): void {
    task.transferBytes = 0;
    const taken = inDirection(task, operation);
    if (taken.kind === "dataOut" && !this.#snacked.has(task)) {
      return this.#dataOut.resume(task, taken, collected);
    }
    collected.release();
    this.proceed(task, taken);
  }

  /** Does what an operation says next; the task is over when it has finished. */
  proceed(task: ScsiTask, operation: Operation): void {
    if (this.#snacked.size > 0 && this.#snacked.delete(task)) {
      abandon(operation);
      return this.#respond(task, SNACK_REJECTED);
    }
    switch (operation.kind) {
      case "finished":
        return this.#respond(task, operation.outcome);
      case "later":
        return this.#proceedLater(task, operation);
      case "dataIn":
        return this.#dataIn.start(task, operation);
      case "dataOut":
        throw new Error("A command asks for data that was not kept for it");
      default:
        return operation satisfies never;
    }
  }

  #respond(task: ScsiTask, outcome: Outcome): void {
    this.answering(task);
    if (outcome !== GOOD) this.#meter.failed(task, outcome);
    const presented = outcome === GOOD ? GOOD : this.session.nexus!.present(task.lun, outcome);
    this.replies.scsiResponse(task, presented);
  }

  #proceedLater(task: ScsiTask, later: Later): void {
    task.later = later;
    this.#workOf(task, later);
    later.operation.then((next) => {
      task.later = undefined;
      if (task.isAborted) {
        abandon(next);
        return this.pieceEnded(task);
      }
      const { collected } = task;
      task.collected = undefined;
      if (collected === undefined) this.proceed(task, next);
      else this.#beginWith(task, next, collected);
      this.wake();
    });
  }

  #workOf({ lun }: ScsiTask, { changesNothing, operation }: Later): void {
    this.underWay({ lun, changesMedium: changesNothing !== true, done: operation });
  }

  answering(task: ScsiTask): void {
    task.isAnswered = true;
    this.#meter.answered(task);
    if (task.isListed) {
      this.session.unlist(task, this.#lingering.has(task) ? this.settled(task.lun) : undefined);
    }
    this.session.openWindow();
  }

  settled(lun: number | undefined): Promise<unknown> | undefined {
    return this.#owner.settled(lun);
  }

  taskAborted(task: ScsiTask): void {
    task.traffic.failed("aborted");
    const staged = task.dataIn?.staged;
    if (staged !== undefined) this.staging.release(staged.data);
    task.dataIn?.operation.end?.();
    task.later?.cancel?.();
    task.collected?.release();
    this.#snacked.delete(task);
    this.linger(task, task.countPieces());
    this.#dataOut.forget(task);
    if (!task.isListed) return;
    this.session.unlist(task, this.settled(task.lun));
    this.#tellOfWindow();
  }

  get announcedMaxCmdSN(): number {
    return this.replies.announcedMaxCmdSN;
  }

  /**
   * 11.4.11: when no other PDU tells the initiator how far the window is open, a NOP-In does. What ends many tasks, or
   * is answered itself, is told of once. An initiator that could send nothing does not wait for an answer that takes
   * time.
   */
  #tellOfWindow(): void {
    const { window } = this.session;
    const wasClosed = window.isClosed;
    this.session.openWindow();
    this.#hasReopened ||= wasClosed && !window.isClosed;
    if (this.#isAboutToTell) return;
    this.#isAboutToTell = true;
    queueMicrotask(() => this.#announceWindow());
  }

  #announceWindow(): void {
    const isUrgent = this.#hasReopened;
    this.#isAboutToTell = this.#hasReopened = false;
    const { session } = this;
    if (this.#isOver || session.isWindowAnnounced || (session.isManagingAny && !isUrgent)) return;
    this.replies.nopInForWindow();
    this.wake();
  }

  #nopOut(pdu: NopOut): void {
    // 11.18.1: without a task tag it answers a NOP-In, and wants no answer itself.
    if (pdu.initiatorTaskTag === RESERVED_TAG) return;
    this.replies.nopIn(pdu, pdu.data.subarray(0, this.parameters.initiatorMaxRecvDataSegmentLength));
  }

  #taskManagementRequest(pdu: TaskManagementRequest): void {
    if (this.#waitingResponses >= Limits.immediateCommands) {
      throw rejected(RejectReason.immediateCommandReject, "Too many task management requests");
    }
    const owed = this.#owedFor(pdu);
    const response = manageTasks(this.session, pdu, this);
    const isDone = response === TaskManagementResponseCode.functionComplete;
    // 11.5.1: the response says that nothing of the tasks reaches the medium any more.
    const waits = isDone ? [this.#settledFor(pdu), owed].filter((wait) => wait !== undefined) : [];
    // It may have used up numbers of commands that will never come.
    this.#tellOfWindow();
    this.session.beginManaging(pdu.initiatorTaskTag);
    this.#whenSettled(waits.length === 0 ? undefined : Promise.all(waits), () => {
      this.session.endManaging(pdu.initiatorTaskTag);
      this.#taskManagementResponse(pdu, response);
    });
  }

  /** Resolves when the initiator has done what it owes before the end of a set of tasks, or has not for too long. */
  #owedFor(pdu: TaskManagementRequest): Promise<void> | undefined {
    const scope = TaskSetScope[pdu.function];
    if (scope === undefined) return undefined;
    const spared = sparedTasks(this.session, pdu);
    const owed = this.session.owed(scope === "target" ? undefined : pdu.lun, spared);
    if (owed.length === 0) return undefined;
    const cancel = this.#owner.clock.after(Limits.owedMs, () => {
      for (const expectation of owed) expectation.giveUp();
    });
    return Promise.all(owed.map(({ met }) => met)).then(cancel);
  }

  /** A function for a target or a nexus concerns all logical units, a query none, every other one only its own. */
  #settledFor(pdu: TaskManagementRequest): Promise<unknown> | undefined {
    switch (pdu.function) {
      case TaskManagementFunctionCode.queryTask:
      case TaskManagementFunctionCode.queryTaskSet:
        return undefined;
      case TaskManagementFunctionCode.targetWarmReset:
      case TaskManagementFunctionCode.targetColdReset:
      case TaskManagementFunctionCode.nexusReset:
        return this.#owner.settled();
      default:
        return this.#owner.settled(pdu.lun);
    }
  }

  /** Answers when nothing that was begun before can reach the medium any more: mostly at once. */
  #whenSettled(settled: Promise<unknown> | undefined, answer: () => void): void {
    if (settled === undefined) return answer();
    this.#waitingResponses++;
    settled.then(() => {
      this.#waitingResponses--;
      answer();
      this.wake();
    });
  }

  #taskManagementResponse(pdu: TaskManagementRequest, response: number): void {
    this.replies.taskManagementResponse(pdu.initiatorTaskTag, response);
    if (response !== TaskManagementResponseCode.functionComplete) return;
    switch (pdu.function) {
      case TaskManagementFunctionCode.targetColdReset:
        return this.#owner.resetTarget();
      // RFC 7144, 6.3: all connections of the session end, as if they had timed out.
      case TaskManagementFunctionCode.nexusReset:
        return this.session.finish();
    }
  }

  #textRequest(pdu: TextRequest): void {
    // 11.9.1: commands go on until the logout. To settle how they are to go on afterwards makes no sense any more.
    if (pdu.targetTransferTag === RESERVED_TAG && this.#owner.isAskedToLogOut()) {
      throw rejected(
        RejectReason.waitingForLogout,
        "Text request over a connection that is to be logged out",
      );
    }
    const reply = this.#text.receive(pdu, this.parameters.initiatorMaxRecvDataSegmentLength);
    // Only the length of the initiator's data segments can have changed.
    this.parameters = { ...this.parameters, ...this.#negotiation.connectionParameters() };
    this.replies.textResponse(pdu, reply);
  }

  #logoutRequest(pdu: LogoutRequest): void {
    const response = this.#logoutResponse(pdu);
    const { defaultTime2Wait: time2Wait, defaultTime2Retain: time2Retain } = this.parameters;
    const reply = { response, time2Wait, time2Retain };
    if (response !== LogoutResponse.success) return this.replies.logoutResponse(pdu, reply);
    const { connections } = this.session;
    const leaving = pdu.reason === LogoutReason.closeSession
      ? [...connections.values()]
      : [connections.get(pdu.cid)!];
    // What it held (tasks, reservations) is free before the initiator hears that the session is over.
    if (leaving.length === connections.size) this.#owner.retire();
    for (const connection of leaving) this.session.leave(connection);
    this.#whenSettled(this.#owner.settled(), () => {
      this.replies.logoutResponse(pdu, reply);
      for (const connection of leaving) connection.finish();
    });
  }

  #logoutResponse(pdu: LogoutRequest): number {
    switch (pdu.reason) {
      case LogoutReason.closeSession:
        return LogoutResponse.success;
      case LogoutReason.closeConnection:
        return this.session.connections.has(pdu.cid) ? LogoutResponse.success : LogoutResponse.cidNotFound;
      case LogoutReason.removeForRecovery:
        return LogoutResponse.recoveryNotSupported;
      default:
        throw rejected(RejectReason.invalidPduField, `Logout for the unknown reason ${pdu.reason}`);
    }
  }

  close(): void {
    this.#owner.close();
  }

  finish(): void {
    this.#owner.finish();
  }

  endRequests(): void {
    this.#isOver = true;
    this.#negotiationRequest.end("loggedOut");
    this.#text.abandon();
    this.#awaitedData.giveUp();
    this.#awaitedAcknowledgements?.giveUp();
    this.staging.end();
  }

  announceDrop(cid: number): void {
    this.replies.connectionDropped(cid, this.parameters);
    this.wake();
  }

  announceEnd(): void {
    this.replies.sessionDropped(this.parameters);
  }

  awaitData(targetTransferTags: readonly number[]): Expectation {
    return this.#awaitedData.expect(targetTransferTags);
  }

  awaitAcknowledgement(): Expectation | undefined {
    const { statSN } = this.replies;
    if (this.replies.isAcknowledged(statSN)) return undefined;
    // Its answer says what the initiator has received.
    this.replies.ping();
    this.wake();
    this.#awaitedAcknowledgements ??= new AwaitedAcknowledgements();
    return this.#awaitedAcknowledgements.expect(statSN);
  }

  requestLogout(seconds: number): void {
    this.#owner.requestLogout(seconds);
  }

  requestNegotiation(): Promise<NegotiationOutcome> {
    return this.#negotiationRequest.begin();
  }

  #askToNegotiate(): void {
    // Who is to log out need not do both, and has less time for that.
    if (this.#owner.isAskedToLogOut()) return;
    this.replies.negotiationWanted(Limits.negotiationSeconds);
    this.wake();
  }

  /** What a target may declare in full-feature phase (13.6 and 13.12), as its conf says it now. */
  #declarations(): KeyValue[] {
    const alias = this.session.target?.config.comment;
    return [
      ...(alias === undefined ? [] : [["TargetAlias", alias] as const]),
      ["MaxRecvDataSegmentLength", String(Limits.dataSegmentBytes)],
    ];
  }

  wake(): void {
    this.#owner.wake();
  }

  overlook(what: string): void {
    this.#owner.overlook(what);
  }

  underWay(work: Work): void {
    this.#owner.underWay(work);
  }
}

/** 4.3: in a discovery session there is text, and the logout that ends it. What answers a ping asks for nothing. */
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

/** What the initiator expects of a command. */
type Expected = Pick<ScsiCommand, "expectedDataIn" | "expectedDataOut">;

/**
 * A command that takes data, by a PDU that only expects some, is refused: GOOD would say that the data was taken. (One
 * that sends data, by a PDU without room for it, has read it all the same, and overflows.) So is one whose data means
 * something else in another amount.
 */
function inDirection(expected: Expected, operation: Operation): Operation {
  if (operation.kind !== "dataOut") return operation;
  const refusal = refuseDirection(expected, operation);
  if (refusal === undefined) return operation;
  operation.end?.();
  return refusal;
}

function refuseDirection(
  { expectedDataIn, expectedDataOut }: Expected,
  operation: DataOutOperation,
): Finished | undefined {
  const isBackwards = expectedDataOut === 0 && expectedDataIn > 0;
  if (isBackwards) return refused(Sense.invalidFieldInCommandInformationUnit);
  const { lengthBytes, refusalOfOtherLength } = operation;
  return expectedDataOut === lengthBytes ? undefined : refusalOfOtherLength;
}

/** Takes the unsolicited data of a command that wants none, then goes on; or gives up, when that does not come. */
function discarding(operation: Operation, giveUp: () => void): DataOutOperation {
  let next = operation;
  if (operation.kind === "later") operation.operation.then((resolved) => next = resolved);
  return {
    kind: "dataOut",
    lengthBytes: 0,
    writeNow: () => GOOD,
    write: () => Promise.resolve(GOOD),
    finish: () => operation,
    end: giveUp,
    blocksOthers: () => next.kind === "dataIn" && next.blocksOthers?.() === true,
  };
}

/** Gives up what an operation has come to that nobody waits for any more, with whatever it holds of the medium. */
function abandon(operation: Operation): void {
  if (operation.kind === "dataIn" || operation.kind === "dataOut") operation.end?.();
  if (operation.kind !== "later") return;
  operation.cancel?.();
  operation.operation.then(abandon);
}
