/**
 * Data for the initiator (RFC 7143, 11.7). Pieces are read directly into the send buffer as Data-In PDUs, as long as
 * there is room. The last one carries the status of a successful command.
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

/** The commands that the queue serves. */
export interface DataInOwner {
  readonly replies: ReplyWriter;
  readonly staging: Staging;
  /** Records work that continues after its task has ended. */
  readonly session: { addWork(work: Work): void };
  /** The longest data segment and the longest sequence that the initiator accepts. */
  readonly parameters: {
    readonly initiatorMaxRecvDataSegmentLength: number;
    readonly maxBurstLength: number;
  };
  /** Ends the task: the PDU with its status is about to be encoded. */
  answering(task: ScsiTask): void;
  /** Continues the command: all data has been sent, or it has failed. */
  proceed(task: ScsiTask, operation: Operation): void;
  /** Sends replies that no request caused. */
  wake(): void;
  /** Counts pieces of work of a task that has ended. */
  linger(task: ScsiTask, pieces: number): void;
  /** Removes a piece of work of a task that has ended. */
  pieceEnded(task: ScsiTask): void;
}

/** The commands of one connection that send data, in the order in which they began. */
export class DataInQueue {
  readonly #owner: DataInOwner;
  #tasks: ScsiTask[] = [];

  constructor(owner: DataInOwner) {
    this.#owner = owner;
  }

  /** Starts to send a command's data. The command may have ended when this returns. */
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

  /** Fails a command before all of its data has been sent. */
  giveUp(task: ScsiTask, outcome: Outcome): void {
    const progress = task.dataIn!;
    this.#tasks = this.#tasks.filter((other) => other !== task);
    if (progress.staged !== undefined) this.#owner.staging.release(progress.staged.data);
    if (progress.isReading) this.#owner.linger(task, 1);
    progress.operation.end?.();
    task.transferBytes = progress.sentBytes;
    this.#owner.proceed(task, finished(outcome));
  }

  /** Sends as much data as there is room for. */
  pump(): void {
    if (this.#tasks.length === 0) return;
    this.#tasks = this.#tasks.filter((task) => !task.isAborted && !this.#send(task, task.dataIn!));
  }

  /** Sends as much as possible of one command. Returns true when all of its data has been sent. */
  #send(task: ScsiTask, progress: DataInProgress): boolean {
    const { replies } = this.#owner;
    while (!replies.buffer.isFull && !progress.isReading) {
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
        // 11.7.3: a SCSI Response carries the status of a bidirectional command.
        if (task.bidirectional) this.#owner.proceed(task, finished(GOOD));
        return true;
      }
    }
    return false;
  }

  /** Reads a piece into the send buffer and sends it. Returns undefined when the medium completes later. */
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

  /** Returns the length of the next piece. A piece ends where a sequence ends (MaxBurstLength), with the F bit. */
  #pieceLength(progress: DataInProgress): number {
    const { initiatorMaxRecvDataSegmentLength, maxBurstLength } = this.#owner.parameters;
    // 11.7.8: data segments are whole words, except for the last one of a sequence.
    const segmentBytesMax = Math.min(Limits.dataInSegmentBytes, initiatorMaxRecvDataSegmentLength) & ~3;
    const sequenceLeft = maxBurstLength - progress.sentBytes % maxBurstLength;
    return Math.min(segmentBytesMax, sequenceLeft, progress.lengthBytes - progress.sentBytes);
  }
}
