/**
 * Data from the initiator (RFC 7143, 4.2.4 and 11.7 to 11.8): immediate data, unsolicited Data-Out and the Data-Out
 * that R2Ts request. Each piece is written directly from the receive buffer.
 *
 * DataPDUInOrder and DataSequenceInOrder are Yes in every session, so the data of a command arrives in the order of its
 * offsets. Data out of order is a fault of the initiator and fails the command.
 */
import { serialAdd } from "../../bytes/serial_number.ts";
import { checkCondition, finished } from "../../scsi/outcome/finished.ts";
import type { DataOut as DataOutOperation, Operation } from "../../scsi/outcome/operation.ts";
import { GOOD, type Outcome } from "../../scsi/outcome/outcome.ts";
import { Sense } from "../../scsi/outcome/sense.ts";
import type { CollectedData } from "./collected_data.ts";
import { type DataOut, type ScsiCommand } from "../pdu/initiator_pdus.ts";
import { Limits } from "../limits.ts";
import type { SessionParameters } from "../negotiation/negotiation.ts";
import type { ReplyWriter } from "../wire/reply_writer.ts";
import type { DataOutProgress, OutstandingR2T, ScsiTask } from "./scsi_task.ts";
import type { Staging } from "./staging.ts";
import type { Work } from "../work_under_way.ts";
import { RESERVED_TAG } from "../pdu/header.ts";

/** The outcomes of commands whose data the initiator sends wrongly (RFC 7143, 11.4.7.2). */
const DataOutFault = {
  unexpectedUnsolicitedData: checkCondition(Sense.writeErrorUnexpectedUnsolicitedData),
  incorrectAmountOfData: checkCondition(Sense.writeErrorNotEnoughUnsolicitedData),
  dataDigestError: checkCondition(Sense.protocolServiceCrcError),
} as const;

/** The commands that the queue serves. */
export interface DataOutOwner {
  readonly replies: ReplyWriter;
  readonly staging: Staging;
  /** Records work that continues after its task has ended. */
  readonly session: { addWork(work: Work): void };
  readonly parameters: SessionParameters;
  /** Continues the command: all data has arrived, or it has failed and no data is under way. */
  proceed(task: ScsiTask, operation: Operation): void;
  /** Sends replies that no request caused. */
  wake(): void;
  /** Logs a fault of the peer that does no harm. */
  overlook(what: string): void;
  /** Removes a piece of work of a task that has ended. */
  pieceEnded(task: ScsiTask): void;
}

/** The commands of one connection that take data. */
export class DataOutQueue {
  readonly #owner: DataOutOwner;
  #lastTransferTag = 0;
  /** Bytes that R2Ts have requested and that have not arrived. */
  #solicitedBytes = 0;
  #receivedPdus = 0;
  /** Commands that wait for room to request more data. */
  #waiting = new Set<ScsiTask>();

  constructor(owner: DataOutOwner) {
    this.#owner = owner;
  }

  /** The number of Data-Out PDUs received for commands under way. */
  get receivedPdus(): number {
    return this.#receivedPdus;
  }

  /** Starts to take a command's data. The command may have ended when this returns. */
  start(task: ScsiTask, operation: DataOutOperation, pdu: ScsiCommand): void {
    const progress = begin(task, operation);
    progress.unsolicited = !pdu.final;
    progress.failure = this.#immediateDataFailure(pdu);
    this.#accept(task, progress, pdu.data);
    this.#advance(task, progress);
  }

  /** Starts to take the data of a command whose turn has come, beginning with the data collected for it. */
  resume(task: ScsiTask, operation: DataOutOperation, collected: CollectedData): void {
    const progress = begin(task, operation);
    this.#accept(task, progress, collected.bytes, collected);
    if (progress.writesUnderWay === 0) collected.release();
    this.#advance(task, progress);
  }

  /**
   * Takes a Data-Out of a command that is under way. A data digest error fails the command, which ends when all data
   * under way for it has arrived (RFC 7143, 7.8).
   */
  receive(task: ScsiTask, pdu: DataOut, hasDataDigestError: boolean): void {
    const progress = task.dataOut;
    if (progress === undefined) return;
    this.#receivedPdus++;
    if (hasDataDigestError) progress.failure ??= DataOutFault.dataDigestError;
    const isSolicited = pdu.targetTransferTag !== RESERVED_TAG;
    const failure = isSolicited
      ? this.#receiveSolicited(task, progress, pdu)
      : this.#receiveUnsolicited(task, progress, pdu);
    progress.failure ??= failure;
    this.#accept(task, progress, pdu.data);
    this.#advance(task, progress);
    this.pump();
  }

  /**
   * Fails a command without waiting for its data. Its R2Ts are no longer outstanding (RFC 7143, 13.17), so its status
   * need not wait for them (11.4.2).
   */
  giveUp(task: ScsiTask, outcome: Outcome): void {
    const progress = task.dataOut!;
    progress.failure ??= outcome;
    progress.unsolicited = false;
    this.#dropReadyToTransfers(progress);
    this.#advance(task, progress);
    this.pump();
  }

  /** Requests data for the commands that wait for room. */
  pump(): void {
    if (this.#waiting.size === 0) return;
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const task of waiting) {
      if (!task.isAborted && task.dataOut !== undefined) this.#advance(task, task.dataOut);
    }
  }

  /** Drops the R2Ts of an aborted task, and ends its operation. */
  forget(task: ScsiTask): void {
    if (task.dataOut === undefined) return;
    this.#dropReadyToTransfers(task.dataOut);
    task.dataOut.operation.end?.();
  }

  #dropReadyToTransfers(progress: DataOutProgress): void {
    for (const { offset, end } of progress.readyToTransfers) {
      this.#solicitedBytes -= Math.max(end - offset, 0);
    }
    progress.readyToTransfers.length = 0;
  }

  /** Returns the failure of immediate data that the negotiated parameters do not allow (4.2.5.2). */
  #immediateDataFailure(pdu: ScsiCommand): Outcome | undefined {
    const { immediateData, initialR2T, firstBurstLength } = this.#owner.parameters;
    if (pdu.data.length > 0 && !immediateData) return DataOutFault.unexpectedUnsolicitedData;
    if (!pdu.final && initialR2T) return DataOutFault.unexpectedUnsolicitedData;
    const allowed = Math.min(firstBurstLength, pdu.expectedDataOut);
    return pdu.data.length > allowed ? DataOutFault.incorrectAmountOfData : undefined;
  }

  #receiveUnsolicited(task: ScsiTask, progress: DataOutProgress, pdu: DataOut): Outcome | undefined {
    if (!progress.unsolicited) return DataOutFault.unexpectedUnsolicitedData;
    if (pdu.final) progress.unsolicited = false;
    const dataSN = progress.unsolicitedDataSN;
    progress.unsolicitedDataSN = serialAdd(dataSN, 1);
    const end = progress.receivedBytes + pdu.data.length;
    const isRight = pdu.bufferOffset === progress.receivedBytes &&
      end <= Math.min(this.#owner.parameters.firstBurstLength, task.expectedDataOut);
    return failureOf(pdu, dataSN, isRight);
  }

  #receiveSolicited(task: ScsiTask, progress: DataOutProgress, pdu: DataOut): Outcome | undefined {
    const r2t: OutstandingR2T | undefined = progress.readyToTransfers[0];
    if (r2t === undefined || r2t.targetTransferTag !== pdu.targetTransferTag) {
      if (progress.unsolicited && pdu.targetTransferTag === 0) {
        this.#owner.overlook("unsolicited data has the target transfer tag 0 instead of FFFFFFFFh");
        return this.#receiveUnsolicited(task, progress, pdu);
      }
      // The initiator answers an R2T that is not the next one. Its answers cannot be waited for.
      this.#dropReadyToTransfers(progress);
      return DataOutFault.incorrectAmountOfData;
    }
    const isNext = this.#isFor(task, pdu) && pdu.bufferOffset === r2t.offset;
    const dataSN = this.#expectedDataSN(progress, r2t, pdu);
    r2t.nextDataSN = serialAdd(dataSN, 1);
    progress.solicitedPDUs++;
    this.#solicitedBytes -= Math.min(pdu.data.length, Math.max(r2t.end - r2t.offset, 0));
    r2t.offset += pdu.data.length;
    if (!pdu.final) return failureOf(pdu, dataSN, isNext && r2t.offset <= r2t.end);
    progress.readyToTransfers.shift();
    this.#solicitedBytes -= Math.max(r2t.end - r2t.offset, 0);
    // 11.7.1: the last PDU of a sequence ends where its R2T ends.
    return failureOf(pdu, dataSN, isNext && r2t.offset === r2t.end);
  }

  /**
   * Returns the DataSN that the next answer to an R2T must have: it begins at 0 for each R2T (11.7.5). Some initiators
   * continue from one R2T to the next instead, and PDUs that were lost show in that, too.
   */
  #expectedDataSN({ solicitedPDUs }: DataOutProgress, r2t: OutstandingR2T, pdu: DataOut): number {
    const continues = r2t.nextDataSN === 0 && solicitedPDUs > 0 && pdu.dataSN === solicitedPDUs &&
      pdu.bufferOffset === r2t.offset;
    if (!continues) return r2t.nextDataSN;
    this.#owner.overlook("DataSN continues from one R2T to the next instead of beginning at 0");
    return solicitedPDUs;
  }

  /**
   * Returns true when the LUN of a PDU agrees with that of its command (4.2.5.3). LUN 0 is accepted, since some
   * initiators do not set the field, and the tags identify the task.
   */
  #isFor(task: ScsiTask, { lun }: DataOut): boolean {
    if (lun === task.lun) return true;
    if (lun === 0) this.#owner.overlook("a Data-Out for an R2T has LUN 0, unlike its command");
    return lun === 0;
  }

  /** Writes a piece. Data beyond the end of the command, or after a failure, is discarded. */
  #accept(task: ScsiTask, progress: DataOutProgress, data: Uint8Array, collected?: CollectedData): void {
    const offset = progress.receivedBytes;
    progress.receivedBytes += data.length;
    const wanted = Math.min(data.length, progress.lengthBytes - offset);
    if (wanted <= 0 || progress.failure !== undefined) return;
    const piece = wanted === data.length ? data : data.subarray(0, wanted);
    const outcome = progress.operation.writeNow(offset, piece);
    if (outcome === undefined) this.#writeLater(task, progress, offset, piece, collected);
    else if (outcome !== GOOD) progress.failure = outcome;
  }

  /** Writes a piece to a slow medium. Data in the receive buffer is copied; collected data has its own memory. */
  #writeLater(
    task: ScsiTask,
    progress: DataOutProgress,
    offset: number,
    received: Uint8Array,
    collected?: CollectedData,
  ): void {
    progress.writesUnderWay++;
    const piece = collected === undefined ? this.#stage(received) : received;
    const done = progress.operation.write(offset, piece).then((outcome) => {
      progress.writesUnderWay--;
      if (collected === undefined) this.#owner.staging.release(piece);
      else collected.release();
      if (outcome !== GOOD) progress.failure ??= outcome;
      if (task.isAborted) this.#owner.pieceEnded(task);
      else this.#advance(task, progress);
      this.#owner.wake();
    });
    this.#owner.session.addWork({ lun: task.lun, changesMedium: true, done });
  }

  #stage(received: Uint8Array): Uint8Array {
    const piece = this.#owner.staging.take(received.length);
    piece.set(received);
    return piece;
  }

  /** Requests the missing data, or continues the command when all data has arrived. */
  #advance(task: ScsiTask, progress: DataOutProgress): void {
    if (progress.unsolicited) return;
    if (progress.failure === undefined) this.#solicit(task, progress);
    if (progress.readyToTransfers.length > 0 || progress.writesUnderWay > 0) return;
    const { failure, operation, lengthBytes } = progress;
    const receivedBytes = Math.min(progress.receivedBytes, lengthBytes);
    if (failure === undefined && receivedBytes < lengthBytes) return;
    task.dataOut = undefined;
    if (failure !== undefined) {
      task.transferBytes = receivedBytes;
      operation.end?.();
    }
    this.#owner.proceed(task, failure === undefined ? operation.finish(receivedBytes) : finished(failure));
  }

  #solicit(task: ScsiTask, progress: DataOutProgress): void {
    const { maxOutstandingR2T, maxBurstLength } = this.#owner.parameters;
    progress.solicitedBytes = Math.max(progress.solicitedBytes, progress.receivedBytes);
    while (
      progress.solicitedBytes < progress.lengthBytes && progress.readyToTransfers.length < maxOutstandingR2T
    ) {
      const offset = progress.solicitedBytes;
      const length = Math.min(maxBurstLength, progress.lengthBytes - offset);
      if (!this.#hasRoomFor(length)) {
        this.#waiting.add(task);
        return;
      }
      this.#solicitedBytes += length;
      const targetTransferTag = this.#nextTransferTag();
      progress.readyToTransfers.push({ targetTransferTag, offset, end: offset + length, nextDataSN: 0 });
      progress.solicitedBytes += length;
      this.#owner.replies.readyToTransfer(task, targetTransferTag, offset, length);
    }
  }

  /** Returns true when the data of another R2T can be taken soon. Solicited data delays all PDUs behind it. */
  #hasRoomFor(length: number): boolean {
    const fits = this.#solicitedBytes === 0 || this.#solicitedBytes + length <= Limits.solicitedBytes;
    return fits && this.#owner.staging.hasRoom;
  }

  #nextTransferTag(): number {
    this.#lastTransferTag = serialAdd(this.#lastTransferTag, 1);
    if (this.#lastTransferTag === RESERVED_TAG) this.#lastTransferTag = 0;
    return this.#lastTransferTag;
  }
}

/** Returns the failure that a Data-Out causes. A gap in DataSN shows that PDUs were lost (7.9). */
function failureOf(pdu: DataOut, dataSN: number, isRight: boolean): Outcome | undefined {
  if (pdu.dataSN !== dataSN) return DataOutFault.dataDigestError;
  return isRight ? undefined : DataOutFault.incorrectAmountOfData;
}

function begin(task: ScsiTask, operation: DataOutOperation): DataOutProgress {
  task.transferBytes = operation.lengthBytes;
  task.expectedBytes = task.expectedDataOut;
  return task.dataOut = {
    operation,
    lengthBytes: Math.min(operation.lengthBytes, task.expectedDataOut),
    unsolicited: false,
    unsolicitedDataSN: 0,
    solicitedPDUs: 0,
    receivedBytes: 0,
    solicitedBytes: 0,
    readyToTransfers: [],
    writesUnderWay: 0,
    failure: undefined,
  };
}
