/** The encoder of a connection's replies, and the owner of its StatSN (RFC 7143, 4.2.2.2). */
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

/** The failure or redirection of a login. */
type LoginFailure = Extract<ProtocolErrorResponse, { readonly kind: "login" | "redirect" }>;

/** The part of a task that its replies need; each R2T and Data-In increments a sequence number. */
export interface AnsweredTask {
  readonly initiatorTaskTag: number;
  readonly lunField: number;
  readonly bidirectional: boolean;
  dataSN: number;
  r2tSN: number;
  residual(): Residual;
  readResidual(): Residual;
}

/** The source of ExpCmdSN and MaxCmdSN: the command window of a session. */
export interface WindowNumbers {
  readonly expCmdSN: number;
  readonly maxCmdSN: number;
}

/** The events of an Asynchronous Message (RFC 7143, 11.9.1). */
const AsyncEvent = {
  logoutWanted: 1,
  connectionDropped: 2,
  sessionDropped: 3,
} as const;

/** Seconds to wait before, and within which, a lost connection can be reinstated (RFC 7143, 13.15 and 13.16). */
interface ReconnectTimes {
  readonly defaultTime2Wait: number;
  readonly defaultTime2Retain: number;
}

const NO_DATA = new Uint8Array();

/** The encoder of one connection's replies. */
export class ReplyWriter {
  readonly buffer = new SendBuffer();
  #digests = NO_DIGESTS;
  #statSN = 1;
  /** The next StatSN that the initiator expects. */
  #expStatSN = 1;
  #lastPingTag = 0;
  #window: WindowNumbers = { expCmdSN: 0, maxCmdSN: 0 };
  /** One object, reused for all replies: each is encoded before the next one. */
  readonly #numbers = { statSN: 0, expCmdSN: 0, maxCmdSN: 0 };

  /** The next StatSN. */
  get statSN(): number {
    return this.#statSN;
  }

  /** MaxCmdSN of the last reply. */
  get announcedMaxCmdSN(): number {
    return this.#numbers.maxCmdSN;
  }

  /** Takes note of the ExpStatSN of a request (4.2.2.2). */
  acknowledge(expStatSN: number): void {
    this.#expStatSN = expStatSN;
  }

  /** Returns whether the initiator has received every status before this one. */
  isAcknowledged(statSN: number): boolean {
    return serialDistance(statSN, this.#expStatSN) >= 0;
  }

  /** Takes ExpCmdSN and MaxCmdSN of further replies from this window. */
  follow(window: WindowNumbers): void {
    this.#window = window;
  }

  /** Adds digests, beginning with the next reply. */
  addDigests(digests: Digests): void {
    this.#digests = digests;
  }

  /** Offset of the data segment in a reply. */
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

  /** Returns space for a Data-In; the caller writes `dataLength` bytes of data at `dataOffset`. */
  reserveDataIn(dataLength: number): Uint8Array {
    return this.#reserve(dataLength);
  }

  /** Completes the Data-In in the space of `reserveDataIn`; with `status` it ends the command with GOOD. */
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
      // 11.8: the next StatSN, which an R2T does not use up.
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

  /** Announces the command window when no other reply does (11.19); uses up no StatSN. */
  nopInForWindow(): void {
    this.#unsolicitedNopIn(RESERVED_TAG);
  }

  /** Pings the initiator, which replies with a NOP-Out of the same tag (11.19); uses up no StatSN. */
  ping(): void {
    this.#lastPingTag = (this.#lastPingTag + 1) & 0x7fffffff;
    this.#unsolicitedNopIn(this.#lastPingTag);
  }

  #unsolicitedNopIn(targetTransferTag: number): void {
    const into = this.#reserve(0);
    encodeNopIn(into, {
      // 11.19.3: a tag requires a LUN; every target has LUN 0.
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

  /** Refuses or redirects a login (11.13.5); only the status, and the address of a redirection, have a meaning. */
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

  /** Requests a logout within some seconds. */
  logoutWanted(seconds: number): void {
    this.#asynchronousMessage(AsyncEvent.logoutWanted, [0, 0, seconds]);
  }

  /** Announces that a connection of the session is closed, or will be. */
  connectionDropped(cid: number, { defaultTime2Wait, defaultTime2Retain }: ReconnectTimes): void {
    this.#asynchronousMessage(AsyncEvent.connectionDropped, [cid, defaultTime2Wait, defaultTime2Retain]);
  }

  /** Announces that all connections of the session will be closed. */
  sessionDropped({ defaultTime2Wait, defaultTime2Retain }: ReconnectTimes): void {
    this.#asynchronousMessage(AsyncEvent.sessionDropped, [0, defaultTime2Wait, defaultTime2Retain]);
  }

  #asynchronousMessage(event: number, parameters: readonly [number, number, number]): void {
    const into = this.#reserve(0);
    encodeAsynchronousMessage(into, { event, parameters, numbers: this.#withStatus() });
    this.#commit(into, 0);
  }

  /** Rejects a PDU, whose header segments it returns (11.17.4). */
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

/** The response to one Login Request. */
export interface LoginReply {
  readonly transit: boolean;
  readonly continued: boolean;
  readonly currentStage: number;
  readonly nextStage: number;
  readonly tsih: number;
  readonly data: Uint8Array;
}
