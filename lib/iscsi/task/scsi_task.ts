/**
 * A SCSI command between its PDU and its status: the state that outlives the handling of one PDU.
 *
 * One of a connection's engines owns it at a time: `FullFeaturePhase` while nothing moves, `DataInQueue` while data
 * goes out, `DataOutQueue` while data comes in.
 */
import type { DataIn, DataOut, Later } from "../../scsi/outcome/operation.ts";
import type { Outcome } from "../../scsi/outcome/outcome.ts";
import type { Task } from "../../scsi/task.ts";
import type { TaskAttribute } from "../../scsi/task_attribute.ts";
import type { CommandKind, Traffic } from "../../scsi/counters/traffic.ts";
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
  /** How much will be sent: what the command has, or less when the initiator expects less. */
  readonly lengthBytes: number;
  sentBytes: number;
  /** A piece that was read from a medium that completes later; `undefined` while there is none. */
  staged: { readonly data: Uint8Array; readonly outcome: Outcome } | undefined;
  isReading: boolean;
}

/** One R2T whose data has not all come (RFC 7143, 11.8). */
export interface OutstandingR2T {
  readonly targetTransferTag: number;
  readonly end: number;
  offset: number;
  nextDataSN: number;
}

/** Data on its way from the initiator. */
export interface DataOutProgress {
  readonly operation: DataOut;
  /** How much is wanted: what the command takes, or less when the initiator has less. */
  readonly lengthBytes: number;
  /** Unsolicited Data-Out PDUs are still to come. */
  unsolicited: boolean;
  unsolicitedDataSN: number;
  /** All bytes before this one have come. */
  receivedBytes: number;
  /** All bytes before this one have come or been asked for. */
  solicitedBytes: number;
  readonly readyToTransfers: OutstandingR2T[];
  /** Pieces that a medium which completes later has not finished writing. */
  writesUnderWay: number;
  /** Set by the first piece that failed: what follows is discarded, and this is the answer. */
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
  /** What it counts as, and where. */
  readonly kind: CommandKind;
  readonly traffic: Traffic;
  /** When it came, if it is not answered at once. */
  receivedMs: number | undefined;
  /** The connection that it is allegiant to (RFC 7143, 4.2.5.1): everything about it goes over this one. */
  readonly owner: TaskOwner;
  /** It ends without a status: whoever still holds it drops it. */
  isAborted = false;
  /** Its status has been sent. */
  isAnswered = false;
  /** It is listed in its session and in the task set of its logical unit. */
  isListed = false;
  /** What the command transfers, or has transferred when it failed in between. */
  transferBytes = 0;
  /** What the initiator expects in the direction in which the command transfers. */
  expectedBytes: number;
  /** Data-In PDUs sent so far: the next one's DataSN, and in the end ExpDataSN. */
  dataSN = 0;
  /** R2Ts sent so far: the next one's R2TSN. */
  r2tSN = 0;
  dataIn: DataInProgress | undefined;
  dataOut: DataOutProgress | undefined;
  /** Data that came unasked while the command waited for its turn. */
  collected: CollectedData | undefined;
  /** What the command waits for while nothing moves. */
  later: Later | undefined;

  constructor(pdu: ScsiCommand, kind: CommandKind, traffic: Traffic, owner: TaskOwner) {
    this.initiatorTaskTag = pdu.initiatorTaskTag;
    this.lun = pdu.lun;
    this.lunField = pdu.lunField;
    this.immediate = pdu.immediate;
    this.cmdSN = pdu.cmdSN;
    this.bidirectional = pdu.bidirectional;
    this.attribute = pdu.attribute;
    this.expectedDataIn = pdu.expectedDataIn;
    this.expectedDataOut = pdu.expectedDataOut;
    // Until the command moves data it leaves over all that is expected, in whatever direction.
    this.expectedBytes = Math.max(pdu.expectedDataIn, pdu.expectedDataOut);
    this.kind = kind;
    this.traffic = traffic;
    this.owner = owner;
  }

  /** Counts the pieces of work that a medium which completes later has not finished. */
  countPieces(): number {
    const { dataIn, dataOut, later } = this;
    return (dataIn?.isReading ? 1 : 0) + (dataOut?.writesUnderWay ?? 0) + (later === undefined ? 0 : 1);
  }

  /** How far what the command transfers and what the initiator expects differ; in the write half if there are two. */
  residual(): Residual {
    if (!this.bidirectional) return residualOf(this.expectedBytes, this.transferBytes);
    return residualOf(this.expectedDataOut, this.dataIn === undefined ? this.transferBytes : 0);
  }

  /** The same in the read half of a bidirectional command, which here moves data one way only (11.4.1). */
  readResidual(): Residual {
    return residualOf(this.expectedDataIn, this.dataIn === undefined ? 0 : this.transferBytes);
  }

  abort(): Promise<unknown> | undefined {
    if (this.isAborted) return undefined;
    this.isAborted = true;
    return this.owner.taskAborted(this);
  }
}
