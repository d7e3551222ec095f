/**
 * The PDUs that an initiator sends (RFC 7143, 11), decoded: one interface and one decoder each, in the order of the
 * standard, in a union closed over `kind`. `target_pdus.ts` encodes the answers in the same order.
 *
 * A decoded PDU is valid: fields that its opcode forbids have been refused here. Views (`cdb`, `data`, `lunField`) are
 * valid as long as the frame.
 */
import { readUint16, readUint32, readUint48 } from "../../bytes/big_endian.ts";
import { view } from "../../bytes/view.ts";
import { decodeLun } from "../../scsi/logical_unit_number.ts";
import { TaskAttribute } from "../../scsi/task_attribute.ts";
import { decodeAdditionalHeaders, NO_ADDITIONAL_HEADERS } from "./additional_headers.ts";
import {
  BASIC_HEADER_BYTES,
  type Frame,
  isContinued,
  isFinal,
  isImmediate,
  Offset as HeaderOffset,
  opcodeOf,
  RESERVED_TAG,
} from "./header.ts";
import { LoginStatus } from "./login_status.ts";
import { InitiatorOpcode, initiatorOpcodeName } from "./opcodes.ts";
import { connectionBroken, formatError, loginFailed, rejected } from "./protocol_error.ts";
import { RejectReason } from "./reject_reason.ts";

/** The table as a constant of this module: V8 folds such constants into the code, but not imported ones. */
const Offset = HeaderOffset;

/** The fields of every request that takes part in command numbering (RFC 7143, 4.2.2.1). */
interface Numbered {
  /** Delivered at once, outside the order of CmdSN. */
  readonly immediate: boolean;
  readonly initiatorTaskTag: number;
  readonly cmdSN: number;
  readonly expStatSN: number;
}

/** The requests that CmdSN puts in order, unless they are immediate. */
export type NumberedPdu = NopOut | ScsiCommand | TaskManagementRequest | TextRequest | LogoutRequest;

/**
 * Decodes a PDU of full-feature phase.
 *
 * @throws {ProtocolError} to be answered by Reject, or with the end of the connection or of the session
 */
export function decodePdu(frame: Frame): NumberedPdu | DataOut | SnackRequest {
  const opcode = opcodeOf(frame.header);
  if (!mayLackTaskTag(opcode) && readUint32(frame.header, Offset.initiatorTaskTag) === RESERVED_TAG) {
    throw rejected(RejectReason.invalidPduField, `${initiatorOpcodeName(opcode)} has no initiator task tag`);
  }
  if (opcode !== InitiatorOpcode.scsiCommand && frame.header.length > BASIC_HEADER_BYTES) {
    // 11.2.1.5: only a SCSI Command has additional header segments.
    throw formatError(`${initiatorOpcodeName(opcode)} has additional header segments`);
  }
  switch (opcode) {
    case InitiatorOpcode.scsiCommand:
      return decodeScsiCommand(frame);
    case InitiatorOpcode.dataOut:
      return decodeDataOut(frame);
    case InitiatorOpcode.nopOut:
      return decodeNopOut(frame);
    case InitiatorOpcode.taskManagementRequest:
      return decodeTaskManagementRequest(frame);
    case InitiatorOpcode.textRequest:
      return decodeTextRequest(frame);
    case InitiatorOpcode.logoutRequest:
      return decodeLogoutRequest(frame);
    case InitiatorOpcode.snackRequest:
      return decodeSnackRequest(frame);
    case InitiatorOpcode.loginRequest:
      throw connectionBroken("Login Request is not allowed in full-feature phase");
    default:
      throw rejected(RejectReason.commandNotSupported, `Unknown ${initiatorOpcodeName(opcode)}`);
  }
}

/** 11.2.1.8: every request names its task, except a NOP-Out that answers a ping and a SNACK of no task (11.16.4). */
function mayLackTaskTag(opcode: number): boolean {
  return opcode === InitiatorOpcode.nopOut || opcode === InitiatorOpcode.snackRequest;
}

/** Returns the CmdSN that a PDU uses up, decodable or not; undefined when it uses none. */
export function cmdSNOf({ header }: Frame): number | undefined {
  const opcode = opcodeOf(header);
  const isNumbered = opcode !== InitiatorOpcode.dataOut && opcode !== InitiatorOpcode.snackRequest;
  return isNumbered && !isImmediate(header) ? readUint32(header, Offset.cmdSN) : undefined;
}

/** A SCSI Command (RFC 7143, 11.3). */
export interface ScsiCommand extends Numbered {
  readonly kind: "scsiCommand";
  /** F: no unsolicited Data-Out follows. */
  readonly final: boolean;
  /** R and W: each direction has an expected length and a residual. */
  readonly bidirectional: boolean;
  /** Bytes that the initiator has room for. */
  readonly expectedDataIn: number;
  /** Bytes that the initiator has to send. */
  readonly expectedDataOut: number;
  readonly attribute: TaskAttribute;
  /** Undefined for a LUN that no target here can have. */
  readonly lun: number | undefined;
  /** The first two bytes of the LUN field as received, for R2Ts. */
  readonly lunField: number;
  /** 16 bytes, followed by those of an extended CDB if there are any. */
  readonly cdb: Uint8Array;
  /** Immediate data. */
  readonly data: Uint8Array;
}

/** The values of ATTR (11.3.1): untagged, simple, ordered, head of queue, ACA. */
const TASK_ATTRIBUTES: readonly TaskAttribute[] = [
  TaskAttribute.simple,
  TaskAttribute.simple,
  TaskAttribute.ordered,
  TaskAttribute.headOfQueue,
  TaskAttribute.aca,
];

function decodeScsiCommand({ header, data }: Frame): ScsiCommand {
  const flags = header[Offset.flags]!;
  const reads = (flags & 0x40) !== 0;
  const writes = (flags & 0x20) !== 0;
  const final = isFinal(header);
  const expected = readUint32(header, 20);
  // 11.3.1: without W no data follows, and without R and W none is expected.
  if (!writes && (!final || (!reads && expected > 0))) {
    throw formatError("SCSI Command has contradictory F, R, W and expected length");
  }
  const attribute = TASK_ATTRIBUTES[flags & 7];
  if (attribute === undefined) {
    throw rejected(
      RejectReason.invalidPduField,
      `SCSI Command has the reserved task attribute ${flags & 7}`,
    );
  }
  const additional = header.length > BASIC_HEADER_BYTES
    ? decodeAdditionalHeaders(header)
    : NO_ADDITIONAL_HEADERS;
  return {
    kind: "scsiCommand",
    immediate: isImmediate(header),
    final,
    bidirectional: reads && writes,
    expectedDataIn: reads ? (writes ? additional.bidirectionalRead : expected) : 0,
    expectedDataOut: writes ? expected : 0,
    attribute,
    lun: decodeLun(header, Offset.lun),
    lunField: readUint16(header, Offset.lun),
    initiatorTaskTag: readUint32(header, Offset.initiatorTaskTag),
    cmdSN: readUint32(header, Offset.cmdSN),
    expStatSN: readUint32(header, Offset.expStatSN),
    cdb: additional.extendedCdb ?? view(header, 32, BASIC_HEADER_BYTES),
    data,
  };
}

/** A Task Management Function Request (RFC 7143, 11.5). */
export interface TaskManagementRequest extends Numbered {
  readonly kind: "taskManagementRequest";
  readonly function: number;
  readonly lun: number | undefined;
  readonly referencedTaskTag: number;
  readonly refCmdSN: number;
}

function decodeTaskManagementRequest(frame: Frame): TaskManagementRequest {
  const { header } = frame;
  refuseData(frame);
  return {
    kind: "taskManagementRequest",
    immediate: isImmediate(header),
    function: header[Offset.flags]! & 0x7f,
    lun: decodeLun(header, Offset.lun),
    initiatorTaskTag: readUint32(header, Offset.initiatorTaskTag),
    referencedTaskTag: readUint32(header, 20),
    cmdSN: readUint32(header, Offset.cmdSN),
    expStatSN: readUint32(header, Offset.expStatSN),
    refCmdSN: readUint32(header, 32),
  };
}

/** A SCSI Data-Out (RFC 7143, 11.7). */
export interface DataOut {
  readonly kind: "dataOut";
  readonly final: boolean;
  /** The LUN of the command; reserved in unsolicited data, which has no target transfer tag (11.7.4). */
  readonly lun: number | undefined;
  readonly initiatorTaskTag: number;
  readonly targetTransferTag: number;
  readonly expStatSN: number;
  readonly dataSN: number;
  readonly bufferOffset: number;
  readonly data: Uint8Array;
}

function decodeDataOut({ header, data }: Frame): DataOut {
  return {
    kind: "dataOut",
    final: isFinal(header),
    lun: decodeLun(header, Offset.lun),
    initiatorTaskTag: readUint32(header, Offset.initiatorTaskTag),
    targetTransferTag: readUint32(header, Offset.targetTransferTag),
    expStatSN: readUint32(header, Offset.expStatSN),
    dataSN: readUint32(header, Offset.dataSN),
    bufferOffset: readUint32(header, Offset.bufferOffset),
    data,
  };
}

/** A Text Request (RFC 7143, 11.10). */
export interface TextRequest extends Numbered {
  readonly kind: "textRequest";
  readonly final: boolean;
  readonly continued: boolean;
  readonly targetTransferTag: number;
  readonly data: Uint8Array;
}

function decodeTextRequest({ header, data }: Frame): TextRequest {
  const final = isFinal(header);
  const continued = isContinued(header);
  if (final && continued) {
    throw rejected(RejectReason.protocolError, "Text Request sets both F and C");
  }
  return {
    kind: "textRequest",
    immediate: isImmediate(header),
    final,
    continued,
    initiatorTaskTag: readUint32(header, Offset.initiatorTaskTag),
    targetTransferTag: readUint32(header, Offset.targetTransferTag),
    cmdSN: readUint32(header, Offset.cmdSN),
    expStatSN: readUint32(header, Offset.expStatSN),
    data,
  };
}

/** The stages of a login, as CSG and NSG give them (RFC 7143, 11.12.3). */
export const LoginStage = { security: 0, operational: 1, fullFeature: 3 } as const;

/** A Login Request (RFC 7143, 11.12). */
export interface LoginRequest {
  readonly kind: "loginRequest";
  readonly transit: boolean;
  readonly continued: boolean;
  readonly currentStage: number;
  readonly nextStage: number;
  readonly versionMin: number;
  /** 6 bytes as a number. */
  readonly isid: number;
  /** Target session identifying handle; 0 asks for a new session. */
  readonly tsih: number;
  readonly initiatorTaskTag: number;
  readonly cid: number;
  readonly cmdSN: number;
  readonly expStatSN: number;
  readonly data: Uint8Array;
}

/**
 * Decodes a Login Request.
 *
 * @throws {ProtocolError} to be answered with a login status, when it is another PDU or contradicts itself
 */
export function decodeLoginRequest({ header, data }: Frame): LoginRequest {
  const opcode = opcodeOf(header);
  if (opcode !== InitiatorOpcode.loginRequest) {
    // 4.2.4: before the login has succeeded, any other PDU fails it.
    throw loginFailed(
      LoginStatus.invalidDuringLogin,
      `${initiatorOpcodeName(opcode)} is not allowed during login`,
    );
  }
  if (header.length > BASIC_HEADER_BYTES) {
    throw loginFailed(LoginStatus.initiatorError, "Login Request has additional header segments");
  }
  const flags = header[Offset.flags]!;
  return {
    kind: "loginRequest",
    transit: isFinal(header),
    continued: isContinued(header),
    currentStage: (flags >> 2) & 3,
    nextStage: flags & 3,
    versionMin: header[3]!,
    isid: readUint48(header, Offset.isid),
    tsih: readUint16(header, Offset.tsih),
    initiatorTaskTag: readUint32(header, Offset.initiatorTaskTag),
    cid: readUint16(header, Offset.cid),
    cmdSN: readUint32(header, Offset.cmdSN),
    expStatSN: readUint32(header, Offset.expStatSN),
    data,
  };
}

/** A Logout Request (RFC 7143, 11.14). */
export interface LogoutRequest extends Numbered {
  readonly kind: "logoutRequest";
  readonly reason: number;
  readonly cid: number;
}

function decodeLogoutRequest(frame: Frame): LogoutRequest {
  const { header } = frame;
  refuseData(frame);
  return {
    kind: "logoutRequest",
    immediate: isImmediate(header),
    reason: header[Offset.flags]! & 0x7f,
    initiatorTaskTag: readUint32(header, Offset.initiatorTaskTag),
    cid: readUint16(header, Offset.cid),
    cmdSN: readUint32(header, Offset.cmdSN),
    expStatSN: readUint32(header, Offset.expStatSN),
  };
}

/** A SNACK Request (RFC 7143, 11.16). */
export interface SnackRequest {
  readonly kind: "snackRequest";
  readonly type: number;
  readonly initiatorTaskTag: number;
}

/** Types of a SNACK (11.16.1): the PDUs to be sent again, or acknowledged. */
export const SnackType = { data: 0, status: 1, dataAck: 2, resegmentedData: 3 } as const;

function decodeSnackRequest({ header }: Frame): SnackRequest {
  return {
    kind: "snackRequest",
    type: header[Offset.flags]! & 0x0f,
    initiatorTaskTag: readUint32(header, Offset.initiatorTaskTag),
  };
}

/** A NOP-Out (RFC 7143, 11.18). */
export interface NopOut extends Numbered {
  readonly kind: "nopOut";
  /** The LUN field as received, to be echoed: a view of 8 bytes. */
  readonly lunField: Uint8Array;
  readonly targetTransferTag: number;
  readonly data: Uint8Array;
}

function decodeNopOut({ header, data }: Frame): NopOut {
  const pdu: NopOut = {
    kind: "nopOut",
    immediate: isImmediate(header),
    lunField: header.subarray(Offset.lun, Offset.initiatorTaskTag),
    initiatorTaskTag: readUint32(header, Offset.initiatorTaskTag),
    targetTransferTag: readUint32(header, Offset.targetTransferTag),
    cmdSN: readUint32(header, Offset.cmdSN),
    expStatSN: readUint32(header, Offset.expStatSN),
    data,
  };
  if (pdu.initiatorTaskTag === RESERVED_TAG && !pdu.immediate) {
    // 11.18.1: without a task tag it takes no part in command numbering, and must be immediate.
    throw rejected(RejectReason.protocolError, "NOP-Out without initiator task tag is not immediate");
  }
  return pdu;
}

/** 11.5.2 and 11.14.2: DataSegmentLength must be 0; any other value is a format error (7.7). */
function refuseData({ header, data }: Frame): void {
  if (data.length > 0) throw formatError(`${initiatorOpcodeName(opcodeOf(header))} has a data segment`);
}
