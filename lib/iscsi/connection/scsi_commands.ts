/**
 * The SCSI commands of one connection, from the command PDU to the status.
 *
 * A command's path: `start` -> the nexus, which returns an operation -> `proceed`, which sends the status or hands the
 * operation to the queue that moves its data; the queue calls `proceed` again with the next operation.
 */
import { checkCondition, TASK_SET_FULL } from "../../scsi/outcome/finished.ts";
import type { Later, Operation } from "../../scsi/outcome/operation.ts";
import { GOOD, type Outcome } from "../../scsi/outcome/outcome.ts";
import { Sense } from "../../scsi/outcome/sense.ts";
import { Limits } from "../limits.ts";
import type { NegotiatedParameters } from "../negotiation/negotiation.ts";
import type { DataOut, ScsiCommand } from "../pdu/initiator_pdus.ts";
import { rejected } from "../pdu/protocol_error.ts";
import { RejectReason } from "../pdu/reject_reason.ts";
import type { Session } from "../session/session.ts";
import { AwaitedData } from "../task/awaited_data.ts";
import { CollectedData } from "../task/collected_data.ts";
import type { CommandMeter } from "../task/command_meter.ts";
import { DataInQueue } from "../task/data_in_queue.ts";
import { DataOutQueue } from "../task/data_out_queue.ts";
import type { Expectation } from "../task/expectation.ts";
import { LingeringTasks } from "../task/lingering_tasks.ts";
import { abandon, checkDirection, discardDataThen } from "../task/operations.ts";
import { ScsiTask, type TaskOwner } from "../task/scsi_task.ts";
import { Staging } from "../task/staging.ts";
import { type Overdue, TransferWatch } from "../task/transfer_watch.ts";
import type { ReplyWriter } from "../wire/reply_writer.ts";
import type { PeerLog } from "./peer_log.ts";
import type { WindowAnnouncer } from "./window_announcer.ts";

/** The outcome of a command whose data the initiator requests again (RFC 7143, 11.4.7.2). */
const SNACK_REJECTED = checkCondition(Sense.readErrorFailedRetransmissionRequest);

/** The outcomes of commands whose data does not arrive, or is not taken in time (RFC 7143, 7.1.4.1). */
const DATA_OUT_OVERDUE = checkCondition(Sense.protocolServiceCrcError);
const DATA_IN_OVERDUE = checkCondition(Sense.initiatorResponseTimeout);

/** Reasons for the log why a command that waits for its initiator ends. */
const OVERDUE_REASONS: Readonly<Record<Overdue, string>> = {
  silence: `no data arrived for ${Limits.dataOutSilenceSeconds} s, although data was due`,
  slowness: `the data did not arrive within ${Limits.dataOutSeconds} s plus one for each ` +
    `${Limits.dataOutBytesPerSecond} bytes`,
  blocking:
    `the initiator delayed it for ${Limits.blockingSeconds} s, and another command waits for its blocks`,
};

/** The connection that carries the commands. */
export interface CommandCarrier extends TaskOwner {
  /** Sends replies that no request from this connection caused. */
  wake(): void;
}

/** The commands of one connection. */
export class ScsiCommands {
  readonly session: Session;
  readonly replies: ReplyWriter;
  readonly staging = new Staging();
  /** The parameters of the connection. A text negotiation replaces them. */
  parameters: NegotiatedParameters;
  readonly #carrier: CommandCarrier;
  readonly #meter: CommandMeter;
  readonly #window: WindowAnnouncer;
  readonly #peerLog: PeerLog;
  readonly #dataIn: DataInQueue;
  readonly #dataOut: DataOutQueue;
  readonly #transferWatch = new TransferWatch();
  readonly #awaitedData = new AwaitedData();
  readonly #lingering: LingeringTasks;
  /** Waiting tasks whose data the initiator has requested again. */
  readonly #snacked = new Set<ScsiTask>();
  #willWake = false;

  constructor(options: {
    session: Session;
    parameters: NegotiatedParameters;
    replies: ReplyWriter;
    meter: CommandMeter;
    window: WindowAnnouncer;
    peerLog: PeerLog;
    carrier: CommandCarrier;
  }) {
    this.session = options.session;
    this.parameters = options.parameters;
    this.replies = options.replies;
    this.#carrier = options.carrier;
    this.#meter = options.meter;
    this.#window = options.window;
    this.#peerLog = options.peerLog;
    this.#lingering = new LingeringTasks(options.session);
    this.#dataIn = new DataInQueue(this);
    this.#dataOut = new DataOutQueue(this);
  }

  /**
   * Starts a command. Its status may have been sent when this returns.
   *
   * @throws {ProtocolError} of kind `reject`
   */
  start(pdu: ScsiCommand): void {
    const { session } = this;
    if (session.task(pdu.initiatorTaskTag) !== undefined) {
      throw rejected(RejectReason.taskInProgress, `Initiator task tag ${pdu.initiatorTaskTag} is in use`);
    }
    if (pdu.immediate && !session.hasRoomForImmediate) {
      throw rejected(RejectReason.immediateCommandReject, "Too many immediate commands");
    }
    // Commands are rejected in a discovery session, the only kind without a nexus.
    const nexus = session.nexus!;
    const traffic = nexus.trafficOf(pdu.lun);
    const task = new ScsiTask(pdu, traffic, this.#carrier);
    const operation = checkDirection(pdu, nexus.submit(pdu.lun, pdu.cdb, task));
    if (operation.kind === "dataOut") this.#dataOut.start(task, operation, pdu);
    else if (operation.kind === "later" && operation.mayTakeData === true) {
      this.#collectThen(task, operation, pdu);
    } else if (pdu.final) this.proceed(task, operation);
    else this.#discardThen(task, operation, pdu);
    if (task.isAnswered) return task.isDormant ? nexus.leave(task.lun, task) : undefined;
    this.#meter.postponed(task);
    session.list(task);
  }

  /** Takes a Data-Out for a task of this connection. */
  receiveData(task: ScsiTask, pdu: DataOut, hasDataDigestError: boolean): void {
    this.#dataOut.receive(task, pdu, hasDataDigestError);
  }

  /** Takes a Data-Out for a task that has ended: data requested by its R2Ts still arrives, and is dropped. */
  receiveLateData(pdu: DataOut): void {
    this.#awaitedData.receive(pdu);
  }

  /** Waits for the data that R2Ts with these tags have requested, for tasks that are about to end. */
  awaitData(targetTransferTags: readonly number[]): Expectation {
    return this.#awaitedData.expect(targetTransferTags);
  }

  /** Fails a task whose data the initiator requests again (RFC 7143, 7.8): at level 0 nothing is resent. */
  failResent(task: ScsiTask): void {
    if (task.dataIn !== undefined) this.#dataIn.giveUp(task, SNACK_REJECTED);
    else if (task.dataOut !== undefined) this.#dataOut.giveUp(task, SNACK_REJECTED);
    else this.#snacked.add(task);
  }

  /** Moves data that waits for room. */
  pump(): void {
    this.#dataIn.pump();
    this.#dataOut.pump();
  }

  /** Ends the commands that have waited too long for the initiator. Called once a second. */
  watchTransfers(): void {
    // While the connection receives nothing because a medium is slow, the initiator cannot deliver its data.
    if (this.staging.isFull) return;
    const overdue = this.#transferWatch.check(
      this.session.tasksOf(this.#carrier),
      this.#dataOut.receivedPdus,
    );
    if (overdue.size === 0) return;
    for (const [reason, { length }] of Map.groupBy(overdue.values(), (reason) => reason)) {
      this.#peerLog.warn(`${length} of its commands failed: ${OVERDUE_REASONS[reason]}`);
    }
    for (const task of overdue.keys()) {
      if (task.dataOut !== undefined) this.#dataOut.giveUp(task, DATA_OUT_OVERDUE);
      else this.#dataIn.giveUp(task, DATA_IN_OVERDUE);
    }
    this.wake();
  }

  /** Ends every wait for late data and drops the idle buffers: the connection is over. */
  end(): void {
    this.#awaitedData.giveUp();
    this.staging.end();
  }

  /** Discards unsolicited data that the command does not take, then continues with the command. */
  #discardThen(task: ScsiTask, operation: Operation, pdu: ScsiCommand): void {
    // An operation that completes later has begun already.
    if (operation.kind === "later") this.#addWork(task, operation);
    this.#dataOut.start(task, discardDataThen(operation, () => this.#abandon(task, operation)), pdu);
  }

  /** Collects unsolicited data for a command that waits for its turn and may take the data then. */
  #collectThen(task: ScsiTask, later: Later, pdu: ScsiCommand): void {
    // Immediate data beyond the expected length is dropped, as for a command that does not wait.
    const unsolicitedBytes = pdu.final ? pdu.data.length : this.parameters.firstBurstLength;
    const lengthBytes = Math.min(unsolicitedBytes, pdu.expectedDataOut);
    const giveUp = (): void => this.#abandon(task, later);
    task.collected = CollectedData.of(lengthBytes, later, this.session.nexus!.collected, giveUp);
    if (task.collected === undefined) {
      abandon(later);
      if (pdu.final) this.proceed(task, TASK_SET_FULL);
      else this.#discardThen(task, TASK_SET_FULL, pdu);
    } else if (pdu.final && lengthBytes === 0) this.proceed(task, later);
    else this.#dataOut.start(task, task.collected, pdu);
  }

  /** Starts a command whose turn has come, with the data that was collected for it. */
  #startWith(task: ScsiTask, operation: Operation, collected: CollectedData): void {
    task.transferBytes = 0;
    const next = checkDirection(task, operation);
    if (next.kind === "dataOut" && !this.#snacked.has(task)) {
      return this.#dataOut.resume(task, next, collected);
    }
    collected.release();
    this.proceed(task, next);
  }

  /** Ends an operation of a task that is over. */
  #abandon(task: ScsiTask, operation: Operation): void {
    if (operation.kind !== "later") return abandon(operation);
    this.linger(task, 1);
    operation.cancel?.();
    operation.operation.then((next) => {
      abandon(next);
      this.pieceEnded(task);
    });
  }

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
        throw new Error("A command requests data that was not collected for it");
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
    this.#addWork(task, later);
    later.operation.then((next) => {
      task.later = undefined;
      if (task.isAborted) {
        abandon(next);
        return this.pieceEnded(task);
      }
      const { collected } = task;
      task.collected = undefined;
      if (collected === undefined) this.proceed(task, next);
      else this.#startWith(task, next, collected);
      this.wake();
    });
  }

  #addWork({ lun }: ScsiTask, { changesNothing, operation }: Later): void {
    this.session.addWork({ lun, changesMedium: changesNothing !== true, done: operation });
  }

  answering(task: ScsiTask): void {
    task.isAnswered = true;
    this.#meter.answered(task);
    if (task.isListed) {
      this.session.unlist(task, this.#lingering.has(task) ? this.session.settled(task.lun) : undefined);
    }
    this.session.openWindow();
  }

  /** Releases everything that an aborted task holds, and reports its end to the session. */
  aborted(task: ScsiTask): Promise<unknown> | undefined {
    task.traffic.failed("aborted");
    const staged = task.dataIn?.staged;
    if (staged !== undefined) this.staging.release(staged.data);
    task.dataIn?.operation.end?.();
    task.later?.cancel?.();
    task.collected?.release();
    this.#snacked.delete(task);
    this.linger(task, task.countPieces());
    this.#dataOut.forget(task);
    const settled = this.session.settled(task.lun);
    if (!task.isListed) return settled;
    this.session.unlist(task, settled);
    this.#window.openWindow();
    return settled;
  }

  linger(task: ScsiTask, pieces: number): void {
    this.#lingering.add(task, pieces);
  }

  pieceEnded(task: ScsiTask): void {
    if (this.#lingering.pieceEnded(task)) this.#window.openWindow();
  }

  /** Sends what is ready: what ends in one turn of the event loop in one send, after one look at all tasks. */
  wake(): void {
    if (this.#willWake) return;
    this.#willWake = true;
    queueMicrotask(this.#wakeCarrier);
  }

  readonly #wakeCarrier = (): void => {
    this.#willWake = false;
    this.#carrier.wake();
  };

  overlook(what: string): void {
    this.#peerLog.overlook(what);
  }
}
