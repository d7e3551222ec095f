/**
 * The PDUs that an initiator sends (RFC 7143, 11), decoded: one interface each, in a union closed over `kind`.
 *
 * Every basic header segment begins alike; a decoder reads the rest in the order of the wire:
 *
 *      0      1       2      3       4         5 6 7               8 ... 15       16 ... 19
 *     +------+-------+-------------+----------+-------------------+--------------+--------------------+
 *     | .I op| flags | opcode's own| TotalAHS | DataSegmentLength | LUN or own   | initiator task tag |
 *     +------+-------+-------------+----------+-------------------+--------------+--------------------+
 *
 * What a decoded PDU says about the wire is all valid: whatever the opcode forbids has been refused here.
 * Views (`cdb`, `data`) live as long as the frame.
 */
import { readUint16, readUint32, readUint48 } from "../../bytes/big_endian.ts";
import { view } from "../../bytes/view.ts";
import { decodeLun } from "../../scsi/logical_unit_number.ts";
import { TaskAttribute } from "../../scsi/task_attribute.ts";
import { InitiatorOpcode, initiatorOpcodeName } from "./opcodes.ts";
import { connectionBroken, formatError, loginFailed, rejected } from "./protocol_error.ts";
import { RejectReason } from "./reject_reason.ts";
import { LoginStatus } from "./login_status.ts";
import { BASIC_HEADER_BYTES, type Frame } from "./header.ts";

/** The reserved tag: no task, no transfer. */
export const RESERVED_TAG = 0xffffffff;

/** Types of a SNACK (RFC 7143, 11.16.1): what is to be sent again, or is acknowledged. */
export const SnackType = { data: 0, status: 1, dataAck: 2, resegmentedData: 3 } as const;

/** What every request that is numbered carries (RFC 7143, 4.2.2.1). */
interface Numbered {
  /** Delivered at once, outside the order of CmdSN. */
  readonly immediate: boolean;
  readonly initiatorTaskTag: number;
  readonly cmdSN: number;
  readonly expStatSN: number;
}

export interface NopOut extends Numbered {
  readonly kind: "nopOut";
  /** The LUN field as it came, to be echoed: a view of 8 bytes. */
  readonly lunField: Uint8Array;
  readonly targetTransferTag: number;
  readonly data: Uint8Array;
}

export interface ScsiCommand extends Numbered {
  readonly kind: "scsiCommand";
  /** F: no unsolicited Data-Out follows. */
  readonly final: boolean;
  /** R and W: both lengths are expected, and have a residual each. */
  readonly bidirectional: boolean;
  /** Bytes that the initiator has room for. */
  readonly expectedDataIn: number;
  /** Bytes that the initiator has to send. */
  readonly expectedDataOut: number;
  readonly attribute: TaskAttribute;
  readonly lun: number | undefined;
  /** The LUN as it came, in the first two bytes of its field: what R2Ts repeat. */
  readonly lunField: number;
  /** 16 bytes, followed by those of an extended CDB if there are any. */
  readonly cdb: Uint8Array;
  /** Immediate data. */
  readonly data: Uint8Array;
}

export interface TaskManagementRequest extends Numbered {
  readonly kind: "taskManagementRequest";
  readonly function: number;
  readonly lun: number | undefined;
  readonly referencedTaskTag: number;
  readonly refCmdSN: number;
}

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

export interface TextRequest extends Numbered {
  readonly kind: "textRequest";
  readonly final: boolean;
  readonly continued: boolean;
  readonly targetTransferTag: number;
  readonly data: Uint8Array;
}

export interface DataOut {
  readonly kind: "dataOut";
  readonly final: boolean;
  /** That of the command where there is a Target Transfer Tag, and reserved where there is none (11.7.4). */
  readonly lun: number | undefined;
  readonly initiatorTaskTag: number;
  readonly targetTransferTag: number;
  readonly expStatSN: number;
  readonly dataSN: number;
  readonly bufferOffset: number;
  readonly data: Uint8Array;
}

export interface LogoutRequest extends Numbered {
  readonly kind: "logoutRequest";
  readonly reason: number;
  readonly cid: number;
}

export interface SnackRequest {
  readonly kind: "snackRequest";
  readonly type: number;
  readonly initiatorTaskTag: number;
}

/** The requests that CmdSN puts in order, unless they are immediate. */
export type NumberedPdu = NopOut | ScsiCommand | TaskManagementRequest | TextRequest | LogoutRequest;

/**
 * Decodes a PDU of full-feature phase.
 *
 * @throws {ProtocolError} to be answered by Reject, or with the end of the connection or of the session
 */
export function decodePdu(frame: Frame): NumberedPdu | DataOut | SnackRequest {
  const opcode = frame.header[0]! & 0x3f;
  if (!mayLackTaskTag(opcode) && readUint32(frame.header, 16) === RESERVED_TAG) {
    throw rejected(RejectReason.invalidPduField, `${initiatorOpcodeName(opcode)} without initiator task tag`);
  }
  if (opcode !== InitiatorOpcode.scsiCommand && frame.header.length > BASIC_HEADER_BYTES) {
    // 11.2.1.5: only a SCSI Command has additional header segments.
    throw formatError(`${initiatorOpcodeName(opcode)} with additional header`);
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
      throw connectionBroken("Login request in full-feature phase");
    default:
      throw rejected(RejectReason.commandNotSupported, `Unknown ${initiatorOpcodeName(opcode)}`);
  }
}

/** 11.2.1.8: every request names its task, but a NOP-Out that answers a ping, and a SNACK about no task (11.16.4). */
function mayLackTaskTag(opcode: number): boolean {
  return opcode === InitiatorOpcode.nopOut || opcode === InitiatorOpcode.snackRequest;
}

/** The CmdSN that a PDU uses up by itself, whether or not it can be decoded; undefined when it uses none. */
export function cmdSNOf({ header }: Frame): number | undefined {
  const opcode = header[0]! & 0x3f;
  const isNumbered = opcode !== InitiatorOpcode.dataOut && opcode !== InitiatorOpcode.snackRequest;
  return isNumbered && !isImmediate(header) ? readUint32(header, 24) : undefined;
}

/**
 * Decodes a Login Request (RFC 7143, 11.12).
 *
 * @throws {ProtocolError} to be answered with a login status, when it is another PDU or contradicts itself
 */
export function decodeLoginRequest(frame: Frame): LoginRequest {
  const { header, data } = frame;
  const opcode = header[0]! & 0x3f;
  if (opcode !== InitiatorOpcode.loginRequest) {
    // 4.2.4: no other PDU may come before the login has succeeded.
    throw loginFailed(LoginStatus.invalidDuringLogin, `${initiatorOpcodeName(opcode)} during login`);
  }
  if (header.length > BASIC_HEADER_BYTES) {
    throw loginFailed(LoginStatus.initiatorError, "Login request with additional header");
  }
  const flags = header[1]!;
  return {
    kind: "loginRequest",
    transit: (flags & 0x80) !== 0,
    continued: (flags & 0x40) !== 0,
    currentStage: (flags >> 2) & 3,
    nextStage: flags & 3,
    versionMin: header[3]!,
    isid: readUint48(header, 8),
    tsih: readUint16(header, 14),
    initiatorTaskTag: readUint32(header, 16),
    cid: readUint16(header, 20),
    cmdSN: readUint32(header, 24),
    expStatSN: readUint32(header, 28),
    data,
  };
}

/** RFC 7143, 11.18. */
function decodeNopOut({ header, data }: Frame): NopOut {
  const pdu: NopOut = {
    kind: "nopOut",
    immediate: isImmediate(header),
    lunField: header.subarray(8, 16),
    initiatorTaskTag: readUint32(header, 16),
    targetTransferTag: readUint32(header, 20),
    cmdSN: readUint32(header, 24),
    expStatSN: readUint32(header, 28),
    data,
  };
  if (pdu.initiatorTaskTag === RESERVED_TAG && !pdu.immediate) {
    // 11.18.1: without a task tag it is no numbered request, so it must be immediate.
    throw rejected(RejectReason.protocolError, "NOP-Out without initiator task tag is not immediate");
  }
  return pdu;
}

/** The values of ATTR (RFC 7143, 11.3.1): untagged, simple, ordered, head of queue, ACA. */
const TASK_ATTRIBUTES: readonly TaskAttribute[] = [
  TaskAttribute.simple,
  TaskAttribute.simple,
  TaskAttribute.ordered,
  TaskAttribute.headOfQueue,
  TaskAttribute.aca,
];

/** RFC 7143, 11.3. */
function decodeScsiCommand({ header, data }: Frame): ScsiCommand {
  const flags = header[1]!;
  const reads = (flags & 0x40) !== 0;
  const writes = (flags & 0x20) !== 0;
  const final = (flags & 0x80) !== 0;
  const expected = readUint32(header, 20);
  // 11.3.1: without W there is no data to follow, and without R and W none to expect.
  if (!writes && (!final || (!reads && expected > 0))) {
    throw formatError("SCSI command contradicts itself about its data");
  }
  const attribute = TASK_ATTRIBUTES[flags & 7];
  if (attribute === undefined) {
    throw rejected(
      RejectReason.invalidPduField,
      `SCSI command with the reserved task attribute ${flags & 7}`,
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
    lun: decodeLun(header, 8),
    lunField: readUint16(header, 8),
    initiatorTaskTag: readUint32(header, 16),
    cmdSN: readUint32(header, 24),
    expStatSN: readUint32(header, 28),
    cdb: additional.extendedCdb ?? view(header, 32, BASIC_HEADER_BYTES),
    data,
  };
}

interface AdditionalHeaders {
  readonly extendedCdb: Uint8Array | undefined;
  /** Bidirectional Read Expected Data Transfer Length. */
  readonly bidirectionalRead: number;
}

const NO_ADDITIONAL_HEADERS: AdditionalHeaders = { extendedCdb: undefined, bidirectionalRead: 0 };

/** RFC 7143, 11.2.2: a sequence of AHSLength (2 bytes), AHSType (1 byte), AHSLength + 1 bytes of content, padding. */
function decodeAdditionalHeaders(header: Uint8Array): AdditionalHeaders {
  let extendedCdb: Uint8Array | undefined;
  let bidirectionalRead = 0;
  for (let offset = BASIC_HEADER_BYTES; offset < header.length;) {
    const length = readUint16(header, offset);
    const type = header[offset + 2]! & 0x3f;
    const end = offset + 3 + length;
    if (length === 0 || end > header.length) {
      throw formatError(`Additional header segment of length ${length} does not fit`);
    }
    // 11.2.2.3: a segment for less than 17 bytes of CDB is none.
    if (type === 1 && length > 1) {
      extendedCdb = new Uint8Array(16 + length - 1);
      extendedCdb.set(header.subarray(32, 48));
      extendedCdb.set(header.subarray(offset + 4, end), 16);
    } else if (type === 2 && length === 5) {
      bidirectionalRead = readUint32(header, offset + 4);
    } else {
      throw formatError(`Additional header segment of type ${type} and length ${length}`);
    }
    offset += (3 + length + 3) & ~3;
  }
  return { extendedCdb, bidirectionalRead };
}

/** RFC 7143, 11.5. */
function decodeTaskManagementRequest(frame: Frame): TaskManagementRequest {
  const { header } = frame;
  refuseData(frame);
  return {
    kind: "taskManagementRequest",
    immediate: isImmediate(header),
    function: header[1]! & 0x7f,
    lun: decodeLun(header, 8),
    initiatorTaskTag: readUint32(header, 16),
    referencedTaskTag: readUint32(header, 20),
    cmdSN: readUint32(header, 24),
    expStatSN: readUint32(header, 28),
    refCmdSN: readUint32(header, 32),
  };
}

/** RFC 7143, 11.10. */
function decodeTextRequest({ header, data }: Frame): TextRequest {
  const final = (header[1]! & 0x80) !== 0;
  const continued = (header[1]! & 0x40) !== 0;
  if (final && continued) {
    throw rejected(RejectReason.protocolError, "Text request is final and continued at once");
  }
  return {
    kind: "textRequest",
    immediate: isImmediate(header),
    final,
    continued,
    initiatorTaskTag: readUint32(header, 16),
    targetTransferTag: readUint32(header, 20),
    cmdSN: readUint32(header, 24),
    expStatSN: readUint32(header, 28),
    data,
  };
}

/** RFC 7143, 11.7. */
function decodeDataOut({ header, data }: Frame): DataOut {
  return {
    kind: "dataOut",
    final: (header[1]! & 0x80) !== 0,
    lun: decodeLun(header, 8),
    initiatorTaskTag: readUint32(header, 16),
    targetTransferTag: readUint32(header, 20),
    expStatSN: readUint32(header, 28),
    dataSN: readUint32(header, 36),
    bufferOffset: readUint32(header, 40),
    data,
  };
}

/** RFC 7143, 11.16. */
function decodeSnackRequest({ header }: Frame): SnackRequest {
  return { kind: "snackRequest", type: header[1]! & 0x0f, initiatorTaskTag: readUint32(header, 16) };
}

/** RFC 7143, 11.14. */
function decodeLogoutRequest(frame: Frame): LogoutRequest {
  const { header } = frame;
  refuseData(frame);
  return {
    kind: "logoutRequest",
    immediate: isImmediate(header),
    reason: header[1]! & 0x7f,
    initiatorTaskTag: readUint32(header, 16),
    cid: readUint16(header, 20),
    cmdSN: readUint32(header, 24),
    expStatSN: readUint32(header, 28),
  };
}

/** 11.5.2 and 11.14.2: DataSegmentLength is 0, and 7.7 says what becomes of one that is not. */
function refuseData({ header, data }: Frame): void {
  if (data.length > 0) throw formatError(`${initiatorOpcodeName(header[0]! & 0x3f)} with a data segment`);
}

function isImmediate(header: Uint8Array): boolean {
  return (header[0]! & 0x40) !== 0;
}
