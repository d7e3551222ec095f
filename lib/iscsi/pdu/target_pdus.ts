/**
 * The PDUs that a target sends (RFC 7143, 11), encoded in place, in the order of the standard. `initiator_pdus.ts`
 * decodes the requests in the same order.
 *
 * Each function writes a basic header segment to the first 48 bytes of `into`. It clears the reserved bytes too, since
 * the buffer holds earlier replies. The caller writes the data segment of `dataLength` bytes and its padding.
 */
import { writeUint16, writeUint24, writeUint32, writeUint48 } from "../../bytes/big_endian.ts";
import { BASIC_HEADER_BYTES, CONTINUED, FINAL, Offset as HeaderOffset, RESERVED_TAG } from "./header.ts";
import type { LoginStatus } from "./login_status.ts";
import { TargetOpcode } from "./opcodes.ts";
import type { RejectReason } from "./reject_reason.ts";
import type { Residual } from "./residual.ts";

/** The table as a constant of this module: V8 folds such constants into the code, but not imported ones. */
const Offset = HeaderOffset;

/** The sequence numbers of every PDU of a target. */
export interface SequenceNumbers {
  /** In a PDU without status: the next StatSN, or 0 where the standard reserves the field. */
  readonly statSN: number;
  readonly expCmdSN: number;
  readonly maxCmdSN: number;
}

/** U and O, and u and o for the read part of a bidirectional command (RFC 7143, 11.4.1). */
const RESIDUAL_FLAGS = { none: 0x00, underflow: 0x02, overflow: 0x04 } as const;
const READ_RESIDUAL_FLAGS = { none: 0x00, underflow: 0x08, overflow: 0x10 } as const;

/** Encodes the fields that every PDU of a target has. */
function encodeHeader(
  into: Uint8Array,
  opcode: number,
  flags: number,
  dataLength: number,
  initiatorTaskTag: number,
  numbers: SequenceNumbers,
): void {
  // For 48 bytes a loop is faster than a call of `fill`.
  for (let index = 0; index < BASIC_HEADER_BYTES; index++) into[index] = 0;
  into[Offset.opcode] = opcode;
  into[Offset.flags] = flags;
  writeUint24(into, Offset.dataSegmentLength, dataLength);
  writeUint32(into, Offset.initiatorTaskTag, initiatorTaskTag);
  writeUint32(into, Offset.statSN, numbers.statSN);
  writeUint32(into, Offset.expCmdSN, numbers.expCmdSN);
  writeUint32(into, Offset.maxCmdSN, numbers.maxCmdSN);
}

/** Encodes a SCSI Response (RFC 7143, 11.4). Its data segment holds SenseLength (2 bytes) and the sense data. */
export function encodeScsiResponse(into: Uint8Array, pdu: {
  initiatorTaskTag: number;
  status: number;
  residual: Residual;
  /** Number of Data-In PDUs sent for the command. */
  expDataSN: number;
  dataLength: number;
  numbers: SequenceNumbers;
}): void {
  const flags = FINAL | RESIDUAL_FLAGS[pdu.residual.kind];
  encodeHeader(into, TargetOpcode.scsiResponse, flags, pdu.dataLength, pdu.initiatorTaskTag, pdu.numbers);
  into[3] = pdu.status;
  writeUint32(into, 36, pdu.expDataSN);
  writeUint32(into, Offset.residualCount, pdu.residual.bytes);
}

/** Adds the residual of the read part to the SCSI Response of a bidirectional command (RFC 7143, 11.4.6). */
export function addReadResidual(into: Uint8Array, { kind, bytes }: Residual): void {
  into[Offset.flags]! |= READ_RESIDUAL_FLAGS[kind];
  writeUint32(into, 40, bytes);
}

/** Encodes a Task Management Function Response (RFC 7143, 11.6). */
export function encodeTaskManagementResponse(into: Uint8Array, pdu: {
  initiatorTaskTag: number;
  response: number;
  numbers: SequenceNumbers;
}): void {
  encodeHeader(into, TargetOpcode.taskManagementResponse, FINAL, 0, pdu.initiatorTaskTag, pdu.numbers);
  into[2] = pdu.response;
}

/**
 * Encodes a SCSI Data-In (RFC 7143, 11.7). With `status` (the S bit) it ends the command with GOOD and carries the
 * residual; without it, StatSN and the residual count are reserved.
 */
export function encodeDataIn(into: Uint8Array, pdu: {
  initiatorTaskTag: number;
  /** F: ends a sequence. */
  final: boolean;
  status: boolean;
  residual: Residual;
  dataSN: number;
  bufferOffset: number;
  dataLength: number;
  numbers: SequenceNumbers;
}): void {
  const flags = (pdu.final ? FINAL : 0) | (pdu.status ? 0x01 | RESIDUAL_FLAGS[pdu.residual.kind] : 0);
  encodeHeader(into, TargetOpcode.dataIn, flags, pdu.dataLength, pdu.initiatorTaskTag, pdu.numbers);
  writeUint32(into, Offset.targetTransferTag, RESERVED_TAG);
  writeUint32(into, Offset.dataSN, pdu.dataSN);
  writeUint32(into, Offset.bufferOffset, pdu.bufferOffset);
  if (pdu.status) writeUint32(into, Offset.residualCount, pdu.residual.bytes);
}

/** Encodes a Ready To Transfer (RFC 7143, 11.8). */
export function encodeReadyToTransfer(into: Uint8Array, pdu: {
  initiatorTaskTag: number;
  targetTransferTag: number;
  /** The first two bytes of the command's LUN field. */
  lunField: number;
  r2tSN: number;
  bufferOffset: number;
  desiredDataTransferLength: number;
  numbers: SequenceNumbers;
}): void {
  encodeHeader(into, TargetOpcode.readyToTransfer, FINAL, 0, pdu.initiatorTaskTag, pdu.numbers);
  writeUint16(into, Offset.lun, pdu.lunField);
  writeUint32(into, Offset.targetTransferTag, pdu.targetTransferTag);
  writeUint32(into, 36, pdu.r2tSN);
  writeUint32(into, Offset.bufferOffset, pdu.bufferOffset);
  writeUint32(into, 44, pdu.desiredDataTransferLength);
}

/**
 * Encodes an Asynchronous Message (RFC 7143, 11.9) without a data segment; the event determines the meaning of the
 * parameters.
 */
export function encodeAsynchronousMessage(into: Uint8Array, pdu: {
  event: number;
  parameters: readonly [number, number, number];
  numbers: SequenceNumbers;
}): void {
  encodeHeader(into, TargetOpcode.asynchronousMessage, FINAL, 0, RESERVED_TAG, pdu.numbers);
  into[36] = pdu.event;
  for (const [index, parameter] of pdu.parameters.entries()) writeUint16(into, 38 + index * 2, parameter);
}

/** Encodes a Text Response (RFC 7143, 11.11). */
export function encodeTextResponse(into: Uint8Array, pdu: {
  final: boolean;
  continued: boolean;
  initiatorTaskTag: number;
  targetTransferTag: number;
  dataLength: number;
  numbers: SequenceNumbers;
}): void {
  const flags = (pdu.final ? FINAL : 0) | (pdu.continued ? CONTINUED : 0);
  encodeHeader(into, TargetOpcode.textResponse, flags, pdu.dataLength, pdu.initiatorTaskTag, pdu.numbers);
  writeUint32(into, Offset.targetTransferTag, pdu.targetTransferTag);
}

/** Encodes a Login Response (RFC 7143, 11.13). */
export function encodeLoginResponse(into: Uint8Array, pdu: {
  transit: boolean;
  continued: boolean;
  currentStage: number;
  nextStage: number;
  isid: number;
  tsih: number;
  initiatorTaskTag: number;
  status: LoginStatus;
  dataLength: number;
  numbers: SequenceNumbers;
}): void {
  const flags = (pdu.transit ? FINAL : 0) | (pdu.continued ? CONTINUED : 0) | (pdu.currentStage << 2) |
    (pdu.transit ? pdu.nextStage : 0);
  encodeHeader(into, TargetOpcode.loginResponse, flags, pdu.dataLength, pdu.initiatorTaskTag, pdu.numbers);
  writeUint48(into, Offset.isid, pdu.isid);
  writeUint16(into, Offset.tsih, pdu.tsih);
  writeUint16(into, 36, pdu.status);
}

/** Encodes a Logout Response (RFC 7143, 11.15), with Time2Wait and Time2Retain of the session. */
export function encodeLogoutResponse(into: Uint8Array, pdu: {
  initiatorTaskTag: number;
  response: number;
  time2Wait: number;
  time2Retain: number;
  numbers: SequenceNumbers;
}): void {
  encodeHeader(into, TargetOpcode.logoutResponse, FINAL, 0, pdu.initiatorTaskTag, pdu.numbers);
  into[2] = pdu.response;
  writeUint16(into, 40, pdu.time2Wait);
  writeUint16(into, 42, pdu.time2Retain);
}

/** Encodes a Reject (RFC 7143, 11.17). Its data segment is the header of the rejected PDU. */
export function encodeReject(into: Uint8Array, pdu: {
  reason: RejectReason;
  dataLength: number;
  numbers: SequenceNumbers;
}): void {
  encodeHeader(into, TargetOpcode.reject, FINAL, pdu.dataLength, RESERVED_TAG, pdu.numbers);
  into[2] = pdu.reason;
}

/**
 * Encodes a NOP-In (RFC 7143, 11.19): a reply to a NOP-Out, an update of the command window, or, with a target transfer
 * tag, a ping.
 */
export function encodeNopIn(into: Uint8Array, pdu: {
  /** Undefined: LUN 0. */
  lunField: Uint8Array | undefined;
  initiatorTaskTag: number;
  targetTransferTag: number;
  dataLength: number;
  numbers: SequenceNumbers;
}): void {
  encodeHeader(into, TargetOpcode.nopIn, FINAL, pdu.dataLength, pdu.initiatorTaskTag, pdu.numbers);
  if (pdu.lunField !== undefined) into.set(pdu.lunField, Offset.lun);
  writeUint32(into, Offset.targetTransferTag, pdu.targetTransferTag);
}
