/**
 * Data on its way to the initiator (RFC 7143, 11.7): reads pieces straight into the send buffer and makes Data-In PDUs
 * of them, as long as there is room; the last one carries the status of a command that went well.
 */
import { view } from "../../bytes/view.ts";
import { finished } from "../../scsi/outcome/finished.ts";
import type { DataIn, Operation } from "../../scsi/outcome/operation.ts";
import { GOOD, type Outcome } from "../../scsi/outcome/outcome.ts";
import { Limits } from "../limits.ts";
import type { ReplyWriter } from "../wire/reply_writer.ts";
import type { DataInProgress, ScsiTask } from "./scsi_task.ts";
import type { Staging } from "./staging.ts";
import type { Work } from "../work_under_way.ts";

/** What the queue needs of the phase it serves. */
export interface DataInOwner {
  readonly replies: ReplyWriter;
  readonly staging: Staging;
  /** Records work that continues after its task has ended. */
  readonly session: { addWork(work: Work): void };
  /** The longest data segment and the longest sequence that the initiator takes. */
  readonly parameters: {
    readonly initiatorMaxRecvDataSegmentLength: number;
    readonly maxBurstLength: number;
  };
  /** The task is over: the PDU with its status is about to be encoded. */
  answering(task: ScsiTask): void;
  /** The command goes on without further data. */
  proceed(task: ScsiTask, operation: Operation): void;
  /** Something happened outside of a request: what can be sent should be. */
  wake(): void;
  /** The task is over, but for so many pieces of such work. */
  linger(task: ScsiTask, pieces: number): void;
  /** A piece of such work is done, and its task is over. */
  pieceEnded(task: ScsiTask): void;
}

/** A connection's commands that have data to send, in the order in which they began. */
export class DataInQueue {
  readonly #owner: DataInOwner;
  #tasks: ScsiTask[] = [];

  constructor(owner: DataInOwner) {
    this.#owner = owner;
  }

  /** Begins to send a command's data; it may be over when this returns. */
  start(task: ScsiTask, operation: DataIn): void {
    const lengthBytes = Math.min(operation.lengthBytes, task.expectedDataIn);
    task.transferBytes = operation.lengthBytes;
    task.expectedBytes = task.expectedDataIn;
    const progress = { operation, lengthBytes, sentBytes: 0, staged: undefined, isReading: false };
    task.dataIn = progress;
    if (lengthBytes === 0) {
      operation.end?.();
      this.#owner.proceed(task, finished(GOOD));
      return;
    }
    if (!this.#send(task, progress)) this.#tasks.push(task);
  }

  /** Ends a command before all of its data has been sent. */
  giveUp(task: ScsiTask, outcome: Outcome): void {
    const progress = task.dataIn!;
    this.#tasks = this.#tasks.filter((other) => other !== task);
    if (progress.staged !== undefined) this.#owner.staging.release(progress.staged.data);
    if (progress.isReading) this.#owner.linger(task, 1);
    progress.operation.end?.();
    task.transferBytes = progress.sentBytes;
    this.#owner.proceed(task, finished(outcome));
  }

  /** Sends what there is room for. */
  pump(): void {
    if (this.#tasks.length === 0) return;
    this.#tasks = this.#tasks.filter((task) => !task.isAborted && !this.#send(task, task.dataIn!));
  }

  /** Sends what can be sent of one command; true when nothing more will come. */
  #send(task: ScsiTask, progress: DataInProgress): boolean {
    const { replies } = this.#owner;
    while (replies.buffer.length < Limits.sendBufferBytes && !progress.isReading) {
      const staged = progress.staged;
      const outcome = staged === undefined
        ? this.#readPiece(task, progress)
        : this.#sendStaged(task, progress, staged);
      if (outcome === undefined) return false;
      if (outcome !== GOOD) {
        task.transferBytes = progress.sentBytes;
        this.#owner.proceed(task, finished(outcome));
        return true;
      }
      if (progress.sentBytes === progress.lengthBytes) {
        if (progress.lengthBytes < progress.operation.lengthBytes) progress.operation.end?.();
        // 11.7.3: the status of a bidirectional command comes in a SCSI Response.
        if (task.bidirectional) this.#owner.proceed(task, finished(GOOD));
        return true;
      }
    }
    return false;
  }

  /** Reads a piece into the send buffer and sends it; undefined when the piece comes later. */
  #readPiece(task: ScsiTask, progress: DataInProgress): Outcome | undefined {
    const length = this.#pieceLength(progress);
    const into = this.#owner.replies.reserveDataIn(length);
    const { dataOffset } = this.#owner.replies;
    const data = view(into, dataOffset, dataOffset + length);
    const outcome = progress.operation.readNow(progress.sentBytes, data);
    if (outcome === GOOD) this.#sendPiece(task, progress, into, length);
    if (outcome === undefined && this.#owner.staging.hasRoom) this.#readLater(task, progress, length);
    return outcome;
  }

  #sendStaged(
    task: ScsiTask,
    progress: DataInProgress,
    staged: { readonly data: Uint8Array; readonly outcome: Outcome },
  ): Outcome {
    const { data, outcome } = staged;
    progress.staged = undefined;
    if (outcome === GOOD) {
      const into = this.#owner.replies.reserveDataIn(data.length);
      into.set(data, this.#owner.replies.dataOffset);
      this.#sendPiece(task, progress, into, data.length);
    }
    this.#owner.staging.release(data);
    return outcome;
  }

  #readLater(task: ScsiTask, progress: DataInProgress, length: number): void {
    const data = this.#owner.staging.take(length);
    progress.isReading = true;
    const done = progress.operation.read(progress.sentBytes, data).then((outcome) => {
      progress.isReading = false;
      if (task.isAborted || task.isAnswered) {
        this.#owner.staging.release(data);
        this.#owner.pieceEnded(task);
      } else progress.staged = { data, outcome };
      this.#owner.wake();
    });
    this.#owner.session.addWork({ lun: task.lun, changesMedium: false, done });
  }

  #sendPiece(task: ScsiTask, progress: DataInProgress, into: Uint8Array, dataLength: number): void {
    const bufferOffset = progress.sentBytes;
    progress.sentBytes += dataLength;
    const isLast = progress.sentBytes === progress.lengthBytes;
    const hasStatus = isLast && !task.bidirectional;
    if (hasStatus) this.#owner.answering(task);
    this.#owner.replies.dataIn(into, task, {
      bufferOffset,
      dataLength,
      final: isLast || progress.sentBytes % this.#owner.parameters.maxBurstLength === 0,
      status: hasStatus,
      residual: task.residual(),
    });
  }

  /** A piece ends where a sequence ends (MaxBurstLength), so that the F bit can say so. */
  #pieceLength(progress: DataInProgress): number {
    const { initiatorMaxRecvDataSegmentLength, maxBurstLength } = this.#owner.parameters;
    // 11.7.8: but for the last one of a sequence, data segments are whole words.
    const segmentBytesMax = Math.min(Limits.dataInSegmentBytes, initiatorMaxRecvDataSegmentLength) & ~3;
    const sequenceLeft = maxBurstLength - progress.sentBytes % maxBurstLength;
    return Math.min(segmentBytesMax, sequenceLeft, progress.lengthBytes - progress.sentBytes);
  }
}
