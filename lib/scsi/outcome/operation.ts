/**
 * What becomes of a command: the seam between SCSI and the transport that carries it.
 *
 * SCSI decides what a command means and hands the transport an `Operation`; the transport moves data until the
 * operation is finished and then sends its status. Neither knows the other's details: here is no word of PDUs,
 * and the transport never looks into a CDB.
 */
import type { Outcome } from "./outcome.ts";

/** The command is over: send its status. */
export interface Finished {
  readonly kind: "finished";
  readonly outcome: Outcome;
}

/** The command goes on elsewhere (a flush, a slow medium): come back when the promise resolves. It never rejects. */
export interface Later {
  readonly kind: "later";
  readonly operation: Promise<Operation>;
  /** The operation that follows may want the initiator's data: what is sent unasked meanwhile is kept for it. */
  readonly mayTakeData?: true;
  /** What of it goes on after the task has been aborted stores nothing (a flush, a verification). */
  readonly changesNothing?: true;
  /** The task is aborted: what has not begun must not begin. What has begun goes on, until the promise resolves. */
  readonly cancel?: () => void;
}

/**
 * The command sends data to the initiator. The transport asks for consecutive pieces from offset 0, no more than
 * the initiator expects, and then sends GOOD. The first outcome other than GOOD ends the command.
 */
export interface DataIn {
  readonly kind: "dataIn";
  /** How much the command has to send, whatever the initiator expects. */
  readonly lengthBytes: number;
  /** Fills `into` from `offset`; undefined, having touched nothing, when that would have to wait: then use `read`. */
  readNow(offset: number, into: Uint8Array): Outcome | undefined;
  /** Fills `into` from `offset`; `into` belongs to the operation until the promise resolves. It never rejects. */
  read(offset: number, into: Uint8Array): Promise<Outcome>;
  /** The transport asks for no further piece, though neither the last one nor one that failed has been. */
  end?(): void;
  /** Another command waits for blocks that this one holds. A transport that waits for its initiator soon gives up. */
  blocksOthers?(): boolean;
}

/**
 * The command takes data from the initiator. The transport hands over consecutive pieces from offset 0, and calls
 * `finish` after the last. The first outcome other than GOOD ends the command (without `finish`).
 */
export interface DataOut {
  readonly kind: "dataOut";
  /** How much the command wants, whatever the initiator has to offer. */
  readonly lengthBytes: number;
  /** Takes a piece; undefined, having touched nothing, when that would have to wait: then use `write`. */
  writeNow(offset: number, from: Uint8Array): Outcome | undefined;
  /** Takes a piece; `from` belongs to the operation until the promise resolves. It never rejects. */
  write(offset: number, from: Uint8Array): Promise<Outcome>;
  /** Says what follows when `receivedBytes` (at most `lengthBytes`) have been handed over. */
  finish(receivedBytes: number): Operation;
  /** The transport hands over no further piece and does not call `finish`: the task has failed or is aborted. */
  end?(): void;
  /** Another command waits for blocks that this one holds. A transport that waits for its initiator soon gives up. */
  blocksOthers?(): boolean;
  /** What the command comes to, if an initiator that has more or less to offer than `lengthBytes` misunderstands it. */
  readonly refusalOfOtherLength?: Finished | undefined;
}

export type Operation = Finished | Later | DataIn | DataOut;
