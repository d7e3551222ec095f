/**
 * Writes a connection's replies into its send buffer, and owns StatSN (RFC 7143, 4.2.2.2): the one place that gives
 * out status numbers.
 */
import { serialAdd, serialDistance } from "../../bytes/serial_number.ts";
import type { Outcome } from "../../scsi/outcome/outcome.ts";
import { writeUint16 } from "../../bytes/big_endian.ts";
import { type Digests, NO_DIGESTS } from "./digests.ts";
import { LoginStatus } from "../pdu/login_status.ts";
import type { LoginRequest, LogoutRequest, NopOut, TextRequest } from "../pdu/initiator_pdus.ts";
import type { ProtocolErrorResponse } from "../pdu/protocol_error.ts";
import type { RejectReason } from "../pdu/reject_reason.ts";
import type { Residual } from "../pdu/residual.ts";
import { SendBuffer } from "./send_buffer.ts";
import {
  addReadResidual,
  encodeAsynchronousMessage,
  encodeDataIn,
  encodeLoginResponse,
  encodeLogoutResponse,
  encodeNopIn,
  encodeReadyToTransfer,
  encodeReject,
  encodeScsiResponse,
  encodeTaskManagementResponse,
  encodeTextResponse,
} from "../pdu/target_pdus.ts";
import { encodeText } from "../pdu/text.ts";
import { BASIC_HEADER_BYTES, paddedLength, RESERVED_TAG } from "../pdu/header.ts";

/** How a login fails, or goes on elsewhere. */
type LoginFailure = Extract<ProtocolErrorResponse, { readonly kind: "login" | "redirect" }>;

/** A task as far as its PDUs need it; the sequence numbers count what is sent. */
export interface AnsweredTask {
  readonly initiatorTaskTag: number;
  readonly lunField: number;
  readonly bidirectional: boolean;
  dataSN: number;
  r2tSN: number;
  residual(): Residual;
  readResidual(): Residual;
}

/** Where ExpCmdSN and MaxCmdSN come from. */
export interface WindowNumbers {
  readonly expCmdSN: number;
  readonly maxCmdSN: number;
}

/** Events of an Asynchronous Message (RFC 7143, 11.9.1). */
const AsyncEvent = {
  logoutWanted: 1,
  connectionDropped: 2,
  sessionDropped: 3,
  negotiationWanted: 4,
} as const;

/** The negotiated seconds before and in which a lost connection may be followed by another (RFC 7143, 13.15, 13.16). */
interface ReconnectTimes {
  readonly defaultTime2Wait: number;
  readonly defaultTime2Retain: number;
}

const NO_DATA = new Uint8Array();

/** One connection's replies. */
export class ReplyWriter {
  readonly buffer = new SendBuffer();
  #digests = NO_DIGESTS;
  #statSN = 1;
  /** The next StatSN that the initiator expects: it has received all before. */
  #expStatSN = 1;
  #lastPingTag = 0;
  #window: WindowNumbers = { expCmdSN: 0, maxCmdSN: 0 };
  /** One object for all replies, filled anew for each: a reply is encoded before the next one begins. */
  readonly #numbers = { statSN: 0, expCmdSN: 0, maxCmdSN: 0 };

  /** The number of the next status. */
  get statSN(): number {
    return this.#statSN;
  }

  /** The MaxCmdSN that the last reply carried. */
  get announcedMaxCmdSN(): number {
    return this.#numbers.maxCmdSN;
  }

  /** Every request says how much the initiator has received (4.2.2.2). */
  acknowledge(expStatSN: number): void {
    this.#expStatSN = expStatSN;
  }

  /** The initiator has received everything before this status. */
  isAcknowledged(statSN: number): boolean {
    return serialDistance(statSN, this.#expStatSN) >= 0;
  }

  /** Follows the session's window from now on. */
  follow(window: WindowNumbers): void {
    this.#window = window;
  }

  /** Adds digests from the next reply on. */
  addDigests(digests: Digests): void {
    this.#digests = digests;
  }

  /** Where the data segment of a reply begins. */
  get dataOffset(): number {
    return BASIC_HEADER_BYTES + this.#digests.headerDigestBytes;
  }

  scsiResponse(task: AnsweredTask, outcome: Outcome): void {
    const sense = outcome.sense;
    const dataLength = sense === undefined ? 0 : 2 + sense.length;
    const into = this.#reserve(dataLength);
    encodeScsiResponse(into, {
      initiatorTaskTag: task.initiatorTaskTag,
      status: outcome.status,
      residual: task.residual(),
      expDataSN: task.dataSN,
      dataLength,
      numbers: this.#withStatus(),
    });
    if (task.bidirectional) addReadResidual(into, task.readResidual());
    if (sense !== undefined) {
      writeUint16(into, this.dataOffset, sense.length);
      into.set(sense, this.dataOffset + 2);
    }
    this.#commit(into, dataLength);
  }

  /** Space for a Data-In with `dataLength` bytes of data, which the caller puts at `dataOffset`. */
  reserveDataIn(dataLength: number): Uint8Array {
    return this.#reserve(dataLength);
  }

  /** Sends what was put into the space of `reserveDataIn`; with `status` it also ends the command with GOOD. */
  dataIn(
    into: Uint8Array,
    task: AnsweredTask,
    piece: { bufferOffset: number; dataLength: number; final: boolean; status: boolean; residual: Residual },
  ): void {
    encodeDataIn(into, {
      initiatorTaskTag: task.initiatorTaskTag,
      final: piece.final,
      status: piece.status,
      residual: piece.residual,
      dataSN: task.dataSN++,
      bufferOffset: piece.bufferOffset,
      dataLength: piece.dataLength,
      numbers: piece.status ? this.#withStatus() : this.#withoutStatus(0),
    });
    this.#commit(into, piece.dataLength);
  }

  readyToTransfer(task: AnsweredTask, targetTransferTag: number, bufferOffset: number, length: number): void {
    const into = this.#reserve(0);
    encodeReadyToTransfer(into, {
      initiatorTaskTag: task.initiatorTaskTag,
      targetTransferTag,
      lunField: task.lunField,
      r2tSN: task.r2tSN++,
      bufferOffset,
      desiredDataTransferLength: length,
      // 11.8: the next StatSN, which is not used up.
      numbers: this.#withoutStatus(this.#statSN),
    });
    this.#commit(into, 0);
  }

  nopIn(pdu: NopOut, data: Uint8Array): void {
    const into = this.#reserve(data.length);
    const { lunField, initiatorTaskTag } = pdu;
    const targetTransferTag = RESERVED_TAG;
    const dataLength = data.length;
    encodeNopIn(into, {
      lunField,
      initiatorTaskTag,
      targetTransferTag,
      dataLength,
      numbers: this.#withStatus(),
    });
    into.set(data, this.dataOffset);
    this.#commit(into, data.length);
  }

  /** 11.19: tells the initiator of the window when nothing else does. It uses up no StatSN. */
  nopInForWindow(): void {
    this.#unaskedNopIn(RESERVED_TAG);
  }

  /** 11.19: asks the initiator for a NOP-Out with the same tag. It uses up no StatSN. */
  ping(): void {
    this.#lastPingTag = (this.#lastPingTag + 1) & 0x7fffffff;
    this.#unaskedNopIn(this.#lastPingTag);
  }

  #unaskedNopIn(targetTransferTag: number): void {
    const into = this.#reserve(0);
    encodeNopIn(into, {
      // Where there is a tag there must be a LUN (11.19.3): 0, which every target has.
      lunField: undefined,
      initiatorTaskTag: RESERVED_TAG,
      targetTransferTag,
      dataLength: 0,
      numbers: this.#withoutStatus(this.#statSN),
    });
    this.#commit(into, 0);
  }

  taskManagementResponse(initiatorTaskTag: number, response: number): void {
    const into = this.#reserve(0);
    encodeTaskManagementResponse(into, { initiatorTaskTag, response, numbers: this.#withStatus() });
    this.#commit(into, 0);
  }

  textResponse(
    pdu: TextRequest,
    reply: { final: boolean; continued: boolean; targetTransferTag: number; data: Uint8Array },
  ): void {
    const into = this.#reserve(reply.data.length);
    encodeTextResponse(into, {
      initiatorTaskTag: pdu.initiatorTaskTag,
      final: reply.final,
      continued: reply.continued,
      targetTransferTag: reply.targetTransferTag,
      dataLength: reply.data.length,
      numbers: this.#withStatus(),
    });
    into.set(reply.data, this.dataOffset);
    this.#commit(into, reply.data.length);
  }

  loginResponse(request: LoginRequest, reply: LoginReply): void {
    this.#loginResponse(request, reply, LoginStatus.success);
  }

  /** 11.13.5: a login that failed. Status-Class other than 0 leaves everything but the status without meaning. */
  loginFailure(request: LoginRequest, response: LoginFailure): void {
    const { currentStage, nextStage, tsih } = request;
    const data = response.kind === "redirect"
      ? encodeText([["TargetAddress", response.targetAddress]])
      : NO_DATA;
    const reply = { transit: false, continued: false, currentStage, nextStage, tsih, data };
    this.#loginResponse(request, reply, response.status);
  }

  #loginResponse(request: LoginRequest, reply: LoginReply, status: LoginStatus): void {
    const { data, ...header } = reply;
    const into = this.#reserve(data.length);
    const { isid, initiatorTaskTag } = request;
    const numbers = this.#withStatus();
    encodeLoginResponse(into, {
      ...header,
      isid,
      initiatorTaskTag,
      status,
      dataLength: data.length,
      numbers,
    });
    into.set(data, this.dataOffset);
    this.#commit(into, data.length);
  }

  logoutResponse(
    pdu: LogoutRequest,
    reply: { response: number; time2Wait: number; time2Retain: number },
  ): void {
    const into = this.#reserve(0);
    const { initiatorTaskTag } = pdu;
    encodeLogoutResponse(into, { initiatorTaskTag, ...reply, numbers: this.#withStatus() });
    this.#commit(into, 0);
  }

  /** Asks the initiator to log out within some seconds. */
  logoutWanted(seconds: number): void {
    this.#asynchronousMessage(AsyncEvent.logoutWanted, [0, 0, seconds]);
  }

  /** Says that a connection of the session is closed, or is about to be. */
  connectionDropped(cid: number, { defaultTime2Wait, defaultTime2Retain }: ReconnectTimes): void {
    this.#asynchronousMessage(AsyncEvent.connectionDropped, [cid, defaultTime2Wait, defaultTime2Retain]);
  }

  /** Says that all connections of the session are about to be closed. */
  sessionDropped({ defaultTime2Wait, defaultTime2Retain }: ReconnectTimes): void {
    this.#asynchronousMessage(AsyncEvent.sessionDropped, [0, defaultTime2Wait, defaultTime2Retain]);
  }

  /** Asks the initiator to negotiate over this connection within some seconds. */
  negotiationWanted(seconds: number): void {
    this.#asynchronousMessage(AsyncEvent.negotiationWanted, [0, 0, seconds]);
  }

  #asynchronousMessage(event: number, parameters: readonly [number, number, number]): void {
    const into = this.#reserve(0);
    encodeAsynchronousMessage(into, { event, parameters, numbers: this.#withStatus() });
    this.#commit(into, 0);
  }

  /** Sends back the header segments of the PDU that is rejected (11.17.4). */
  reject(reason: RejectReason, header: Uint8Array): void {
    const into = this.#reserve(header.length);
    encodeReject(into, { reason, dataLength: header.length, numbers: this.#withStatus() });
    into.set(header, this.dataOffset);
    this.#commit(into, header.length);
  }

  #reserve(dataLength: number): Uint8Array {
    const bytes = this.dataOffset + paddedLength(dataLength) + this.#digests.dataDigestBytes(dataLength);
    return this.buffer.reserve(bytes);
  }

  #commit(into: Uint8Array, dataLength: number): void {
    const dataEnd = this.dataOffset + paddedLength(dataLength);
    for (let index = this.dataOffset + dataLength; index < dataEnd; index++) into[index] = 0;
    this.#digests.complete(into, BASIC_HEADER_BYTES, dataEnd);
    this.buffer.commit(into.length);
  }

  #withStatus(): { statSN: number; expCmdSN: number; maxCmdSN: number } {
    const numbers = this.#withoutStatus(this.#statSN);
    this.#statSN = serialAdd(this.#statSN, 1);
    return numbers;
  }

  #withoutStatus(statSN: number): { statSN: number; expCmdSN: number; maxCmdSN: number } {
    this.#numbers.statSN = statSN;
    this.#numbers.expCmdSN = this.#window.expCmdSN;
    this.#numbers.maxCmdSN = this.#window.maxCmdSN;
    return this.#numbers;
  }
}

/** What is answered to one request. */
export interface LoginReply {
  readonly transit: boolean;
  readonly continued: boolean;
  readonly currentStage: number;
  readonly nextStage: number;
  readonly tsih: number;
  readonly data: Uint8Array;
}
