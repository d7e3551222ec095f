/**
 * The PDUs that a target sends (RFC 7143, 11), encoded in place: each function fills the 48 bytes of a basic header
 * segment at the front of `into`, every reserved byte included, so that no earlier reply shines through a reused
 * buffer. The data segment and its padding are the caller's, `DataSegmentLength` is given by its length.
 */
import { writeUint16, writeUint24, writeUint32, writeUint48 } from "../../bytes/big_endian.ts";
import { RESERVED_TAG } from "./initiator_pdus.ts";
import type { LoginStatus } from "./login_status.ts";
import { TargetOpcode } from "./opcodes.ts";
import type { RejectReason } from "./reject_reason.ts";
import type { Residual } from "./residual.ts";
import { BASIC_HEADER_BYTES } from "./header.ts";

/** The sequence numbers that every PDU of a target carries in bytes 24 to 35. */
export interface SequenceNumbers {
  /** In a PDU that carries no status: the next StatSN, or 0 where the standard reserves it. */
  readonly statSN: number;
  readonly expCmdSN: number;
  readonly maxCmdSN: number;
}

/** U and O, and u and o for the read half of a bidirectional command (RFC 7143, 11.4.1). */
const RESIDUAL_FLAGS = { none: 0x00, underflow: 0x02, overflow: 0x04 } as const;
const READ_RESIDUAL_FLAGS = { none: 0x00, underflow: 0x08, overflow: 0x10 } as const;

/** Byte 1 of a PDU that is whole in itself. */
const FINAL = 0x80;

function encodeCommon(
  into: Uint8Array,
  opcode: number,
  flags: number,
  dataLength: number,
  initiatorTaskTag: number,
  numbers: SequenceNumbers,
): void {
  // For so few bytes the call of `fill` costs more than the loop.
  for (let index = 0; index < BASIC_HEADER_BYTES; index++) into[index] = 0;
  into[0] = opcode;
  into[1] = flags;
  writeUint24(into, 5, dataLength);
  writeUint32(into, 16, initiatorTaskTag);
  writeUint32(into, 24, numbers.statSN);
  writeUint32(into, 28, numbers.expCmdSN);
  writeUint32(into, 32, numbers.maxCmdSN);
}

/** RFC 7143, 11.4. A data segment holds SenseLength (2 bytes) and the sense data. */
export function encodeScsiResponse(into: Uint8Array, pdu: {
  initiatorTaskTag: number;
  status: number;
  residual: Residual;
  /** Number of Data-In PDUs that were sent for the command. */
  expDataSN: number;
  dataLength: number;
  numbers: SequenceNumbers;
}): void {
  const flags = FINAL | RESIDUAL_FLAGS[pdu.residual.kind];
  encodeCommon(into, TargetOpcode.scsiResponse, flags, pdu.dataLength, pdu.initiatorTaskTag, pdu.numbers);
  into[3] = pdu.status;
  writeUint32(into, 36, pdu.expDataSN);
  writeUint32(into, 44, pdu.residual.bytes);
}

/** RFC 7143, 11.4.6: adds the residual of the read half to the SCSI Response of a bidirectional command. */
export function addReadResidual(into: Uint8Array, { kind, bytes }: Residual): void {
  into[1]! |= READ_RESIDUAL_FLAGS[kind];
  writeUint32(into, 40, bytes);
}

/**
 * RFC 7143, 11.7. With `status` it also ends the command with GOOD (the S bit), and then carries the residual.
 * Without, StatSN and the residual count are reserved.
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
  encodeCommon(into, TargetOpcode.dataIn, flags, pdu.dataLength, pdu.initiatorTaskTag, pdu.numbers);
  writeUint32(into, 20, RESERVED_TAG);
  writeUint32(into, 36, pdu.dataSN);
  writeUint32(into, 40, pdu.bufferOffset);
  if (pdu.status) writeUint32(into, 44, pdu.residual.bytes);
}

/** RFC 7143, 11.8. */
export function encodeReadyToTransfer(into: Uint8Array, pdu: {
  initiatorTaskTag: number;
  targetTransferTag: number;
  /** The first two bytes of the command's LUN field, which the initiator's Data-Out repeats. */
  lunField: number;
  r2tSN: number;
  bufferOffset: number;
  desiredDataTransferLength: number;
  numbers: SequenceNumbers;
}): void {
  encodeCommon(into, TargetOpcode.readyToTransfer, FINAL, 0, pdu.initiatorTaskTag, pdu.numbers);
  writeUint16(into, 8, pdu.lunField);
  writeUint32(into, 20, pdu.targetTransferTag);
  writeUint32(into, 36, pdu.r2tSN);
  writeUint32(into, 40, pdu.bufferOffset);
  writeUint32(into, 44, pdu.desiredDataTransferLength);
}

/** RFC 7143, 11.6. */
export function encodeTaskManagementResponse(into: Uint8Array, pdu: {
  initiatorTaskTag: number;
  response: number;
  numbers: SequenceNumbers;
}): void {
  encodeCommon(into, TargetOpcode.taskManagementResponse, FINAL, 0, pdu.initiatorTaskTag, pdu.numbers);
  into[2] = pdu.response;
}

/** RFC 7143, 11.19. An answer to a NOP-Out, a PDU that only carries numbers, or, with a target transfer tag, a ping. */
export function encodeNopIn(into: Uint8Array, pdu: {
  /** Undefined: LUN 0. */
  lunField: Uint8Array | undefined;
  initiatorTaskTag: number;
  targetTransferTag: number;
  dataLength: number;
  numbers: SequenceNumbers;
}): void {
  encodeCommon(into, TargetOpcode.nopIn, FINAL, pdu.dataLength, pdu.initiatorTaskTag, pdu.numbers);
  if (pdu.lunField !== undefined) into.set(pdu.lunField, 8);
  writeUint32(into, 20, pdu.targetTransferTag);
}

/** RFC 7143, 11.13. */
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
  const flags = (pdu.transit ? 0x80 : 0) | (pdu.continued ? 0x40 : 0) | (pdu.currentStage << 2) |
    (pdu.transit ? pdu.nextStage : 0);
  encodeCommon(into, TargetOpcode.loginResponse, flags, pdu.dataLength, pdu.initiatorTaskTag, pdu.numbers);
  writeUint48(into, 8, pdu.isid);
  writeUint16(into, 14, pdu.tsih);
  writeUint16(into, 36, pdu.status);
}

/** RFC 7143, 11.11. */
export function encodeTextResponse(into: Uint8Array, pdu: {
  final: boolean;
  continued: boolean;
  initiatorTaskTag: number;
  targetTransferTag: number;
  dataLength: number;
  numbers: SequenceNumbers;
}): void {
  const flags = (pdu.final ? FINAL : 0) | (pdu.continued ? 0x40 : 0);
  encodeCommon(into, TargetOpcode.textResponse, flags, pdu.dataLength, pdu.initiatorTaskTag, pdu.numbers);
  writeUint32(into, 20, pdu.targetTransferTag);
}

/** RFC 7143, 11.15. Time2Wait and Time2Retain are those of the session. */
export function encodeLogoutResponse(into: Uint8Array, pdu: {
  initiatorTaskTag: number;
  response: number;
  time2Wait: number;
  time2Retain: number;
  numbers: SequenceNumbers;
}): void {
  encodeCommon(into, TargetOpcode.logoutResponse, FINAL, 0, pdu.initiatorTaskTag, pdu.numbers);
  into[2] = pdu.response;
  writeUint16(into, 40, pdu.time2Wait);
  writeUint16(into, 42, pdu.time2Retain);
}

/** RFC 7143, 11.9, without the SCSI event, which has a data segment. What the parameters mean depends on the event. */
export function encodeAsynchronousMessage(into: Uint8Array, pdu: {
  event: number;
  parameters: readonly [number, number, number];
  numbers: SequenceNumbers;
}): void {
  encodeCommon(into, TargetOpcode.asynchronousMessage, FINAL, 0, RESERVED_TAG, pdu.numbers);
  into[36] = pdu.event;
  for (const [index, parameter] of pdu.parameters.entries()) writeUint16(into, 38 + index * 2, parameter);
}

/** RFC 7143, 11.17. The data segment repeats the header of the PDU that is rejected. */
export function encodeReject(into: Uint8Array, pdu: {
  reason: RejectReason;
  dataLength: number;
  numbers: SequenceNumbers;
}): void {
  encodeCommon(into, TargetOpcode.reject, FINAL, pdu.dataLength, RESERVED_TAG, pdu.numbers);
  into[2] = pdu.reason;
}
