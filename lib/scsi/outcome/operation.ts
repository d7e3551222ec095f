/**
 * Operations: the interface between SCSI and the transport that carries it.
 *
 * SCSI interprets a command and returns an `Operation`. The transport moves data until the operation is finished, and
 * then sends the status. Neither depends on the other: SCSI knows no PDUs, and the transport never reads a CDB.
 */
import type { Outcome } from "./outcome.ts";

/** A completed command: the transport sends its status. */
export interface Finished {
  readonly kind: "finished";
  readonly outcome: Outcome;
}

/**
 * A command that continues elsewhere, such as a flush or an access to a slow medium. The transport continues when the
 * promise resolves. It never rejects.
 */
export interface Later {
  readonly kind: "later";
  readonly operation: Promise<Operation>;
  /** The operation that follows may take data from the initiator: unsolicited data is kept for it. */
  readonly mayTakeData?: true;
  /** The part that continues after the task is aborted stores nothing (a flush, a verification). */
  readonly changesNothing?: true;
  /**
   * Aborts the task. Work that has not begun does not begin; work that has begun continues until the promise resolves.
   */
  readonly cancel?: () => void;
}

/**
 * A command that sends data to the initiator. The transport requests consecutive pieces from offset 0, no more than the
 * initiator expects, and then sends GOOD. The first outcome other than GOOD ends the command.
 */
export interface DataIn {
  readonly kind: "dataIn";
  /** Bytes that the command sends, whatever the initiator expects. */
  readonly lengthBytes: number;
  /**
   * Fills `into` from `offset`. Returns undefined, having changed nothing, when it would block: the transport calls
   * `read` then.
   */
  readNow(offset: number, into: Uint8Array): Outcome | undefined;
  /** Fills `into` from `offset`; `into` belongs to the operation until the promise resolves. It never rejects. */
  read(offset: number, into: Uint8Array): Promise<Outcome>;
  /**
   * Ends the transfer early: the transport requests no further piece, and neither the last piece nor a failed one was
   * requested.
   */
  end?(): void;
  /**
   * Returns whether another command waits for blocks that this one holds. A transport that waits for its initiator then
   * gives up soon.
   */
  blocksOthers?(): boolean;
}

/**
 * A command that receives data from the initiator. The transport passes consecutive pieces from offset 0, and calls
 * `finish` after the last. The first outcome other than GOOD ends the command without `finish`.
 */
export interface DataOut {
  readonly kind: "dataOut";
  /** Bytes that the command receives, whatever the initiator offers. */
  readonly lengthBytes: number;
  /**
   * Takes a piece. Returns undefined, having changed nothing, when it would block: the transport calls `write` then.
   */
  writeNow(offset: number, from: Uint8Array): Outcome | undefined;
  /** Takes a piece; `from` belongs to the operation until the promise resolves. It never rejects. */
  write(offset: number, from: Uint8Array): Promise<Outcome>;
  /** Returns the operation that follows when `receivedBytes` (at most `lengthBytes`) have been passed. */
  finish(receivedBytes: number): Operation;
  /**
   * Ends the transfer early: the task has failed or is aborted. The transport passes no further piece and does not call
   * `finish`.
   */
  end?(): void;
  /**
   * Returns whether another command waits for blocks that this one holds. A transport that waits for its initiator then
   * gives up soon.
   */
  blocksOthers?(): boolean;
  /**
   * Adapts `lengthBytes` to the bytes that the initiator offers, for a command whose CDB has no length of its data. The
   * transport calls it before the first piece.
   */
  adaptTo?(offeredBytes: number): void;
  /** The result of a command whose initiator offers more or less than `lengthBytes`, when that is an error. */
  readonly refusalOfOtherLength?: Finished | undefined;
}

/** The current state of a command. */
export type Operation = Finished | Later | DataIn | DataOut;
