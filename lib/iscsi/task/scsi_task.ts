/**
 * A SCSI command between its PDU and its status.
 *
 * A task has one owner at a time: `ScsiCommands` while no data moves, `DataInQueue` while data is sent, `DataOutQueue`
 * while data is received.
 */
import type { DataIn, DataOut, Later } from "../../scsi/outcome/operation.ts";
import type { Outcome } from "../../scsi/outcome/outcome.ts";
import type { Task } from "../../scsi/task.ts";
import type { TaskAttribute } from "../../scsi/task_attribute.ts";
import { CommandKind, type Traffic } from "../../scsi/counters/traffic.ts";
import type { ScsiCommand } from "../pdu/initiator_pdus.ts";
import type { CollectedData } from "./collected_data.ts";
import { type Residual, residualOf } from "../pdu/residual.ts";

/** The connection that a task belongs to. */
export interface TaskOwner {
  /**
   * Releases everything that an aborted task holds. Resolves when nothing begun for its LUN can still change the
   * medium. Returns undefined when nothing can.
   */
  taskAborted(task: ScsiTask): Promise<unknown> | undefined;
}

/** Data on its way to the initiator. */
export interface DataInProgress {
  readonly operation: DataIn;
  /** The bytes to send: those that the command has, or fewer when the initiator expects fewer. */
  readonly lengthBytes: number;
  sentBytes: number;
  /** A piece that was read from a slow medium; undefined while there is none. */
  staged: { readonly data: Uint8Array; readonly outcome: Outcome } | undefined;
  isReading: boolean;
}

/** An R2T whose data has not all arrived (RFC 7143, 11.8). */
export interface OutstandingR2T {
  readonly targetTransferTag: number;
  readonly end: number;
  offset: number;
  nextDataSN: number;
}

/** Data on its way from the initiator. */
export interface DataOutProgress {
  readonly operation: DataOut;
  /** The bytes to receive: those that the command takes, or fewer when the initiator has fewer. */
  readonly lengthBytes: number;
  /** True while unsolicited Data-Out PDUs are due. */
  unsolicited: boolean;
  unsolicitedDataSN: number;
  /** Data-Out PDUs so far that answered R2Ts. */
  solicitedPDUs: number;
  /** All bytes before this one have arrived. */
  receivedBytes: number;
  /** All bytes before this one have arrived or been requested. */
  solicitedBytes: number;
  readonly readyToTransfers: OutstandingR2T[];
  /** Pieces that a slow medium has not finished writing. */
  writesUnderWay: number;
  /** The outcome of the first piece that failed. The data that follows is discarded. */
  failure: Outcome | undefined;
}

/** A command that the initiator has sent. */
export class ScsiTask implements Task {
  readonly initiatorTaskTag: number;
  readonly lun: number | undefined;
  readonly lunField: number;
  readonly immediate: boolean;
  readonly cmdSN: number;
  readonly bidirectional: boolean;
  readonly attribute: TaskAttribute;
  isDormant = false;
  readonly expectedDataIn: number;
  readonly expectedDataOut: number;
  /** The kind under which the command is counted, in `traffic`. */
  kind: CommandKind = CommandKind.other;
  readonly traffic: Traffic;
  /** The arrival of a command that is not answered at once. */
  receivedMs: number | undefined;
  /** The connection that the task is allegiant to: all its PDUs use this connection (RFC 7143, 4.2.5.1). */
  readonly owner: TaskOwner;
  /** True once the task has ended without a status. */
  isAborted = false;
  /** True once the status has been sent. */
  isAnswered = false;
  /** True while the task is listed in its session and in the task set of its logical unit. */
  isListed = false;
  /** The bytes that the command transfers, or has transferred when it failed. */
  transferBytes = 0;
  /** The bytes that the initiator expects in the direction of the transfer. */
  expectedBytes: number;
  /** The number of Data-In PDUs sent: the next DataSN, and ExpDataSN at the end. */
  dataSN = 0;
  /** The number of R2Ts sent: the next R2TSN. */
  r2tSN = 0;
  dataIn: DataInProgress | undefined;
  dataOut: DataOutProgress | undefined;
  /** Unsolicited data that arrived while the command waited for its turn. */
  collected: CollectedData | undefined;
  /** The operation that the command waits for while no data moves. */
  later: Later | undefined;

  constructor(pdu: ScsiCommand, traffic: Traffic, owner: TaskOwner) {
    this.initiatorTaskTag = pdu.initiatorTaskTag;
    this.lun = pdu.lun;
    this.lunField = pdu.lunField;
    this.immediate = pdu.immediate;
    this.cmdSN = pdu.cmdSN;
    this.bidirectional = pdu.bidirectional;
    this.attribute = pdu.attribute;
    this.expectedDataIn = pdu.expectedDataIn;
    this.expectedDataOut = pdu.expectedDataOut;
    // Until the command moves data, all expected bytes are residual, whatever their direction.
    this.expectedBytes = Math.max(pdu.expectedDataIn, pdu.expectedDataOut);
    this.traffic = traffic;
    this.owner = owner;
  }

  /** Counts the pieces of work that a slow medium has not finished. */
  countPieces(): number {
    const { dataIn, dataOut, later } = this;
    return (dataIn?.isReading ? 1 : 0) + (dataOut?.writesUnderWay ?? 0) + (later === undefined ? 0 : 1);
  }

  /** Returns the residual count; for a bidirectional command, that of its write half. */
  residual(): Residual {
    if (!this.bidirectional) return residualOf(this.expectedBytes, this.transferBytes);
    return residualOf(this.expectedDataOut, this.dataIn === undefined ? this.transferBytes : 0);
  }

  /** Returns the residual count of the read half of a bidirectional command (11.4.1). Only one half moves data. */
  readResidual(): Residual {
    return residualOf(this.expectedDataIn, this.dataIn === undefined ? 0 : this.transferBytes);
  }

  abort(): Promise<unknown> | undefined {
    if (this.isAborted) return undefined;
    this.isAborted = true;
    return this.owner.taskAborted(this);
  }
}
