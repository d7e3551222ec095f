/**
 * The PDUs of one connection in full-feature phase: decodes them, holds requests that arrive before their turn (CmdSN;
 * RFC 7143, 4.2.2.1) and rejects what cannot be carried out.
 */
import { Limits } from "../limits.ts";
import type { NegotiatedParameters } from "../negotiation/negotiation.ts";
import { type Frame, opcodeOf } from "../pdu/header.ts";
import {
  cmdSNOf,
  type DataOut,
  decodePdu,
  type NumberedPdu,
  type SnackRequest,
  SnackType,
} from "../pdu/initiator_pdus.ts";
import { InitiatorOpcode, initiatorOpcodeName } from "../pdu/opcodes.ts";
import { connectionBroken, isRejection, rejected, type Rejection } from "../pdu/protocol_error.ts";
import { RejectReason } from "../pdu/reject_reason.ts";
import type { CommandWindow } from "../session/command_window.ts";
import type { CommandReceiver } from "../session/held_requests.ts";
import type { Session } from "../session/session.ts";
import { TaskSetScope } from "../session/task_management.ts";
import type { ReplyWriter } from "../wire/reply_writer.ts";
import type { PeerLog } from "./peer_log.ts";

/** The connection that the PDUs arrive over. */
export interface RequestReceiver extends CommandReceiver {
  readonly session: Session;
  readonly replies: ReplyWriter;
  readonly parameters: NegotiatedParameters;
  readonly isOver: boolean;
  /**
   * Carries out a request whose turn has come.
   *
   * @throws {ProtocolError}
   */
  execute(pdu: NumberedPdu): void;
  /**
   * Takes a Data-Out. Returns true when it belongs to a command that may be held.
   *
   * @throws {ProtocolError}
   */
  receiveData(pdu: DataOut, hasDataDigestError: boolean): boolean;
  /** Fails the command whose data a SNACK requests. The SNACK itself has been rejected. */
  failResent(pdu: SnackRequest): void;
}

/** The order in which one connection's PDUs are carried out. */
export class RequestOrder {
  readonly #connection: RequestReceiver;
  readonly #session: Session;
  readonly #window: CommandWindow;
  readonly #peerLog: PeerLog;

  constructor(connection: RequestReceiver, peerLog: PeerLog) {
    this.#connection = connection;
    this.#session = connection.session;
    this.#window = connection.session.window;
    this.#peerLog = peerLog;
  }

  /** Carries out held commands of every connection, in order, as long as their connections have room. */
  carryOutHeld(): void {
    const window = this.#window;
    for (let held = window.release(); held !== undefined; held = window.release()) {
      for (const frame of held.frames) held.receiver.carryOut(frame);
      if (held.receiver !== this.#connection) held.receiver.wake();
    }
  }

  /**
   * Rejects a PDU whose data is not what was sent (7.8). A request counts as not received (7.3): its CmdSN stays open,
   * for the initiator to send it again or to abort it. A Data-Out fails its command. A second copy of a request that
   * was received is ignored: a Reject would claim that the request was not received.
   */
  discard(frame: Frame): void {
    if (this.#connection.isOver) return;
    const opcode = opcodeOf(frame.header);
    this.#peerLog.warn(`Data digest error in ${initiatorOpcodeName(opcode)}`);
    if (this.#isIgnored(frame)) return;
    this.#reject(RejectReason.dataDigestError, frame);
    if (opcode === InitiatorOpcode.dataOut) this.carryOut(frame);
  }

  /** Carries out a PDU, or holds it until those before it have arrived. */
  carryOut(frame: Frame): void {
    if (this.#connection.isOver) return;
    try {
      const pdu = this.#decode(frame);
      if (pdu === undefined) return;
      if (pdu.kind === "dataOut") this.#receiveData(pdu, frame);
      else if (pdu.kind === "snackRequest") this.#snackRequest(pdu, frame);
      else if (pdu.immediate) this.#executeImmediate(pdu, frame);
      else this.#executeInOrder(pdu, frame);
    } catch (error) {
      if (!isRejection(error)) throw error;
      this.#refuse(error, frame);
    }
  }

  #refuse({ message, response }: Rejection, frame: Frame): void {
    this.#peerLog.warn(message);
    this.#reject(response.reason, frame);
  }

  /** Sends a Reject. Additional header segments can be longer than the data segment that the initiator accepts. */
  #reject(reason: RejectReason, { header }: Frame): void {
    const { replies, parameters } = this.#connection;
    replies.reject(reason, header.subarray(0, parameters.initiatorMaxRecvDataSegmentLength));
  }

  /**
   * Decodes a PDU. Returns undefined when it is a request that is ignored.
   *
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

  /** Returns true for a request outside the window, or with a number that is filled: it is ignored (4.2.2.1). */
  #isIgnored(frame: Frame): boolean {
    const cmdSN = cmdSNOf(frame);
    if (cmdSN === undefined) return false;
    return this.#window.place(cmdSN) === "outside" || this.#window.isFilled(cmdSN);
  }

  #receiveData(pdu: DataOut, frame: Frame): void {
    const connection = this.#connection;
    if (!connection.receiveData(pdu, frame.hasDataDigestError)) return;
    if (this.#window.holdData(pdu.initiatorTaskTag, frame, connection)) this.#checkHeld();
  }

  /**
   * Rejects a SNACK, since nothing is resent at error recovery level 0 (7.8). No Data-In requests an acknowledgement
   * (the A bit, 11.7.2), so no DataACK can have a valid tag (11.16.5).
   */
  #snackRequest(pdu: SnackRequest, frame: Frame): void {
    if (pdu.type === SnackType.dataAck) {
      throw rejected(RejectReason.invalidDataAck, "DataACK, although no Data-In has requested one");
    }
    this.#refuse(rejected(RejectReason.snackReject, "SNACK at error recovery level 0"), frame);
    this.#connection.failResent(pdu);
  }

  #executeInOrder(pdu: NumberedPdu, frame: Frame): void {
    const window = this.#window;
    const place = window.place(pdu.cmdSN);
    if (place === "early") {
      window.hold(pdu.cmdSN, pdu.initiatorTaskTag, frame, this.#connection);
      this.#checkHeld();
    }
    if (place !== "next") return;
    window.advance();
    // A reply that is sent at once announces the window behind its request. A SCSI command may be answered later.
    if (pdu.kind !== "scsiCommand") this.#session.openWindow();
    try {
      this.#connection.execute(pdu);
    } catch (error) {
      // 7.3: a rejected request was not received. The initiator fills the gap, or aborts the task.
      if (isRejection(error)) window.retreat();
      throw error;
    }
  }

  /**
   * Breaks the connection when held commands take too much memory and nothing can release them.
   *
   * Each connection carries commands in the order of their numbers (4.2.2.1). A connection that has sent ahead waits
   * until another one delivers the missing command. When all have sent ahead, the command was lost or rejected: no
   * connection can deliver it while all of them wait.
   */
  #checkHeld(): void {
    const window = this.#window;
    const { connections } = this.#session;
    if (!window.isFull || window.isStalled) return;
    if (connections.values().some((connection) => !window.holdsFor(connection))) return;
    throw connectionBroken(`More than ${Limits.heldCommandBytes} bytes of commands wait for an earlier one`);
  }

  #executeImmediate(pdu: NumberedPdu, frame: Frame): void {
    const connection = this.#connection;
    const window = this.#window;
    if (pdu.kind === "scsiCommand" && window.isBehindHeld(pdu.cmdSN, connection)) {
      // A function that is held would end the command as one that was sent before it.
      return this.#holdBehind(pdu, frame);
    }
    if (pdu.kind !== "taskManagementRequest" || !window.isAhead(pdu.cmdSN)) return connection.execute(pdu);
    // 4.2.3.3 b: a function that ends a set of tasks also ends those sent before it that are still on their way.
    switch (TaskSetScope[pdu.function]) {
      case "target":
        window.plug(pdu.cmdSN);
        return connection.execute(pdu);
      case "logicalUnit":
        return this.#holdBehind(pdu, frame);
      default:
        return connection.execute(pdu);
    }
  }

  #holdBehind({ cmdSN, initiatorTaskTag }: NumberedPdu, frame: Frame): void {
    if (this.#window.heldBehind >= Limits.immediateCommands) {
      throw rejected(RejectReason.immediateCommandReject, "Too many immediate requests wait for a command");
    }
    this.#window.holdBehind(cmdSN, initiatorTaskTag, frame, this.#connection);
    this.#checkHeld();
  }
}
