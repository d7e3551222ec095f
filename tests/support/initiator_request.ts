/**
 * PDUs that an initiator sends (RFC 7143, 11), for tests.
 *
 * Every builder makes a valid PDU from valid arguments. For an invalid one, a test changes bytes of the `header`; the
 * segments are sent unchanged, whatever lengths the header claims.
 */
import { writeUint16, writeUint24, writeUint32 } from "../../lib/bytes/big_endian.ts";
import { HEADER_BYTES, NO_TAG, Opcode, paddingBytes } from "./initiator_pdu.ts";

const NO_BYTES = new Uint8Array(0);

/** A logical unit: its number, or the eight bytes of its address as they go into a header. */
export type Lun = number | Uint8Array;

/** Returns the eight bytes by which SAM-5, 4.7 addresses a logical unit: peripheral device below 256, flat above. */
export function encodeLun(lun: Lun): Uint8Array {
  if (typeof lun !== "number") return lun;
  const bytes = new Uint8Array(8);
  writeUint16(bytes, 0, lun < 256 ? lun : 0x4000 | lun);
  return bytes;
}

/** A PDU on its way out. */
export class RequestPdu {
  readonly header = new Uint8Array(HEADER_BYTES);
  readonly ahs: Uint8Array;
  readonly data: Uint8Array;

  constructor(opcode: number, flags: number, data: Uint8Array = NO_BYTES, ahs: Uint8Array = NO_BYTES) {
    this.ahs = ahs;
    this.data = data;
    this.header[0] = opcode;
    this.header[1] = flags;
    this.header[4] = ahs.length / 4;
    writeUint24(this.header, 5, data.length);
  }

  /** I (11.2.1.1). */
  get isImmediate(): boolean {
    return (this.header[0]! & 0x40) !== 0;
  }

  /** Returns the bytes of the PDU, as sent. */
  encode(): Uint8Array {
    const ahsEnd = HEADER_BYTES + this.ahs.length;
    const bytes = new Uint8Array(ahsEnd + this.data.length + paddingBytes(this.data.length));
    bytes.set(this.header);
    bytes.set(this.ahs, HEADER_BYTES);
    bytes.set(this.data, ahsEnd);
    return bytes;
  }
}

/** The fields common to all requests. */
export interface RequestOptions {
  /** Delivered at once, whatever its CmdSN (4.2.2.1). */
  readonly isImmediate?: boolean;
  readonly initiatorTaskTag: number;
  readonly cmdSn: number;
  readonly expStatSn: number;
}

function writeCommon(
  pdu: RequestPdu,
  { isImmediate, initiatorTaskTag, cmdSn, expStatSn }: RequestOptions,
): void {
  if (isImmediate) pdu.header[0]! |= 0x40;
  writeUint32(pdu.header, 16, initiatorTaskTag);
  writeUint32(pdu.header, 24, cmdSn);
  writeUint32(pdu.header, 28, expStatSn);
}

/** Login Request (11.12). */
export interface LoginRequestOptions extends RequestOptions {
  readonly isTransit: boolean;
  readonly isContinued?: boolean;
  readonly currentStage: number;
  readonly nextStage: number;
  readonly isid: Uint8Array;
  readonly tsih?: number;
  readonly connectionId?: number;
  readonly text?: Uint8Array;
}

/** Makes a Login Request. */
export function loginRequest(options: LoginRequestOptions): RequestPdu {
  const { isTransit, isContinued = false, currentStage, nextStage, text } = options;
  const flags = (isTransit ? 0x80 : 0) | (isContinued ? 0x40 : 0) | currentStage << 2 | nextStage;
  const pdu = new RequestPdu(Opcode.loginRequest, flags, text);
  writeCommon(pdu, { ...options, isImmediate: true });
  pdu.header.set(options.isid, 8);
  writeUint16(pdu.header, 14, options.tsih ?? 0);
  writeUint16(pdu.header, 20, options.connectionId ?? 0);
  return pdu;
}

/** Task attributes (11.3.1). */
export const Attribute = { untagged: 0, simple: 1, ordered: 2, headOfQueue: 3, aca: 4 } as const;

/** SCSI Command (11.3). */
export interface ScsiCommandOptions extends RequestOptions {
  /** No unsolicited Data-Out follows. */
  readonly isFinal: boolean;
  readonly reads: boolean;
  readonly writes: boolean;
  readonly attribute?: number;
  readonly lun: Lun;
  readonly expectedLength: number;
  readonly cdb: Uint8Array;
  /** Immediate data. */
  readonly data?: Uint8Array;
}

/** Returns the part of a CDB that exceeds the header, for an additional header segment (11.2.2.3). */
function extendedCdb(cdb: Uint8Array): Uint8Array {
  const rest = cdb.subarray(16);
  const ahs = new Uint8Array(4 + rest.length + paddingBytes(rest.length));
  writeUint16(ahs, 0, rest.length + 1);
  ahs[2] = 1;
  ahs.set(rest, 4);
  return ahs;
}

/** Makes a SCSI Command. */
export function scsiCommand(options: ScsiCommandOptions): RequestPdu {
  const { isFinal, reads, writes, attribute = Attribute.simple, cdb } = options;
  const flags = (isFinal ? 0x80 : 0) | (reads ? 0x40 : 0) | (writes ? 0x20 : 0) | attribute;
  const ahs = cdb.length > 16 ? extendedCdb(cdb) : NO_BYTES;
  const pdu = new RequestPdu(Opcode.scsiCommand, flags, options.data, ahs);
  writeCommon(pdu, options);
  pdu.header.set(encodeLun(options.lun), 8);
  writeUint32(pdu.header, 20, options.expectedLength);
  pdu.header.set(cdb.subarray(0, 16), 32);
  return pdu;
}

/** SCSI Data-Out (11.7). */
export interface DataOutOptions {
  readonly isFinal: boolean;
  readonly lun: Lun;
  readonly initiatorTaskTag: number;
  readonly targetTransferTag?: number;
  readonly expStatSn: number;
  readonly dataSn: number;
  readonly bufferOffset: number;
  readonly data: Uint8Array;
}

/** Makes a SCSI Data-Out. */
export function dataOut(options: DataOutOptions): RequestPdu {
  const pdu = new RequestPdu(Opcode.dataOut, options.isFinal ? 0x80 : 0, options.data);
  writeCommon(pdu, { ...options, cmdSn: 0 });
  pdu.header.set(encodeLun(options.lun), 8);
  writeUint32(pdu.header, 20, options.targetTransferTag ?? NO_TAG);
  writeUint32(pdu.header, 36, options.dataSn);
  writeUint32(pdu.header, 40, options.bufferOffset);
  return pdu;
}

/** NOP-Out (11.18). */
export interface NopOutOptions extends RequestOptions {
  readonly lun?: Lun;
  readonly targetTransferTag?: number;
  readonly data?: Uint8Array;
}

/** Makes a NOP-Out. */
export function nopOut(options: NopOutOptions): RequestPdu {
  const pdu = new RequestPdu(Opcode.nopOut, 0x80, options.data);
  writeCommon(pdu, options);
  pdu.header.set(encodeLun(options.lun ?? 0), 8);
  writeUint32(pdu.header, 20, options.targetTransferTag ?? NO_TAG);
  return pdu;
}

/** Text Request (11.10). */
export interface TextRequestOptions extends RequestOptions {
  readonly isFinal: boolean;
  readonly isContinued?: boolean;
  readonly targetTransferTag?: number;
  readonly text?: Uint8Array;
}

/** Makes a Text Request. */
export function textRequest(options: TextRequestOptions): RequestPdu {
  const flags = (options.isFinal ? 0x80 : 0) | (options.isContinued ? 0x40 : 0);
  const pdu = new RequestPdu(Opcode.textRequest, flags, options.text);
  writeCommon(pdu, options);
  writeUint32(pdu.header, 20, options.targetTransferTag ?? NO_TAG);
  return pdu;
}

/** Reasons of a logout (11.14.1). */
export const LogoutReason = { closeSession: 0, closeConnection: 1, removeForRecovery: 2 } as const;

/** Logout Request (11.14). */
export interface LogoutRequestOptions extends RequestOptions {
  readonly reason: number;
  readonly connectionId?: number;
}

/** Makes a Logout Request. */
export function logoutRequest(options: LogoutRequestOptions): RequestPdu {
  const pdu = new RequestPdu(Opcode.logoutRequest, 0x80 | options.reason);
  writeCommon(pdu, options);
  writeUint16(pdu.header, 20, options.connectionId ?? 0);
  return pdu;
}

/** Task management functions (11.5.1). */
export const TaskManagement = {
  abortTask: 1,
  abortTaskSet: 2,
  clearAca: 3,
  clearTaskSet: 4,
  logicalUnitReset: 5,
  targetWarmReset: 6,
  targetColdReset: 7,
  taskReassign: 8,
} as const;

/** Task Management Function Request (11.5). */
export interface TaskManagementRequestOptions extends RequestOptions {
  readonly function: number;
  readonly lun?: Lun;
  readonly referencedTaskTag?: number;
  readonly refCmdSn?: number;
}

/** Makes a Task Management Function Request. */
export function taskManagementRequest(options: TaskManagementRequestOptions): RequestPdu {
  const pdu = new RequestPdu(Opcode.taskManagementRequest, 0x80 | options.function);
  writeCommon(pdu, options);
  pdu.header.set(encodeLun(options.lun ?? 0), 8);
  writeUint32(pdu.header, 20, options.referencedTaskTag ?? NO_TAG);
  writeUint32(pdu.header, 32, options.refCmdSn ?? 0);
  return pdu;
}

/** SNACK Request (11.16). */
export interface SnackRequestOptions {
  readonly type: number;
  readonly lun?: Lun;
  readonly initiatorTaskTag: number;
  readonly targetTransferTag?: number;
  readonly expStatSn: number;
  readonly begRun: number;
  readonly runLength: number;
}

/** Makes a SNACK Request. */
export function snackRequest(options: SnackRequestOptions): RequestPdu {
  const pdu = new RequestPdu(Opcode.snackRequest, 0x80 | options.type);
  writeCommon(pdu, { ...options, cmdSn: 0 });
  pdu.header.set(encodeLun(options.lun ?? 0), 8);
  writeUint32(pdu.header, 20, options.targetTransferTag ?? NO_TAG);
  writeUint32(pdu.header, 40, options.begRun);
  writeUint32(pdu.header, 44, options.runLength);
  return pdu;
}
