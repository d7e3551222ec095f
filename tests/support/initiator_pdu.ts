/**
 * PDUs as an initiator receives them (RFC 7143, 11), for tests.
 *
 * The code follows the RFC and shares nothing with the target, so the two do not repeat each other's mistakes. A `Pdu`
 * is a view: each getter reads one field at the RFC's offset. The opcode decides which fields have a meaning.
 */
import { readUint16, readUint24, readUint32 } from "../../lib/bytes/big_endian.ts";

/** Every PDU begins with a header of this size, the basic header segment (11.2.1). */
export const HEADER_BYTES = 48;

/** A tag that stands for none (11.2.1.8, 11.7.4). */
export const NO_TAG = 0xffffffff;

/** Operation codes (11.2.1.2). */
export const Opcode = {
  nopOut: 0x00,
  scsiCommand: 0x01,
  taskManagementRequest: 0x02,
  loginRequest: 0x03,
  textRequest: 0x04,
  dataOut: 0x05,
  logoutRequest: 0x06,
  snackRequest: 0x10,
  nopIn: 0x20,
  scsiResponse: 0x21,
  taskManagementResponse: 0x22,
  loginResponse: 0x23,
  textResponse: 0x24,
  dataIn: 0x25,
  logoutResponse: 0x26,
  readyToTransfer: 0x31,
  asynchronousMessage: 0x32,
  reject: 0x3f,
} as const;

/** Returns the number of padding bytes after a segment: all are padded to whole words (11.1). */
export function paddingBytes(segmentBytes: number): number {
  return (4 - segmentBytes % 4) % 4;
}

/** The target did what the RFC forbids. */
export class TargetFault extends Error {
  override readonly name = "TargetFault";
}

/** A PDU that the target sent. */
export class Pdu {
  readonly header: Uint8Array;
  readonly ahs: Uint8Array;
  readonly data: Uint8Array;
  readonly padding: Uint8Array;

  /** `bytes` is one whole PDU. */
  constructor(bytes: Uint8Array) {
    const dataStart = HEADER_BYTES + bytes[4]! * 4;
    const dataEnd = dataStart + readUint24(bytes, 5);
    this.header = bytes.subarray(0, HEADER_BYTES);
    this.ahs = bytes.subarray(HEADER_BYTES, dataStart);
    this.data = bytes.subarray(dataStart, dataEnd);
    this.padding = bytes.subarray(dataEnd);
  }

  get opcode(): number {
    return this.header[0]! & 0x3f;
  }
  /** The name of the opcode, for messages. */
  get name(): string {
    const entry = Object.entries(Opcode).find(([, opcode]) => opcode === this.opcode);
    return entry?.[0] ?? `opcode ${this.opcode}`;
  }
  get flags(): number {
    return this.header[1]!;
  }
  /** F, everywhere but in a login. */
  get isFinal(): boolean {
    return (this.flags & 0x80) !== 0;
  }
  /** T, in a login (11.12.1). */
  get isTransit(): boolean {
    return (this.flags & 0x80) !== 0;
  }
  /** C, in a login and a text (11.12.2). */
  get isContinued(): boolean {
    return (this.flags & 0x40) !== 0;
  }
  get currentStage(): number {
    return (this.flags >> 2) & 3;
  }
  get nextStage(): number {
    return this.flags & 3;
  }
  /** A of Data-In (11.7.2). */
  get wantsAcknowledgement(): boolean {
    return (this.flags & 0x40) !== 0;
  }
  /** O (11.4.1). */
  get hasOverflow(): boolean {
    return (this.flags & 0x04) !== 0;
  }
  /** U (11.4.1). */
  get hasUnderflow(): boolean {
    return (this.flags & 0x02) !== 0;
  }
  /** S of Data-In (11.7.3). */
  get hasStatus(): boolean {
    return (this.flags & 0x01) !== 0;
  }
  /** Response of a command, a task management function or a logout; reason of a reject. */
  get response(): number {
    return this.header[2]!;
  }
  /** SCSI status. */
  get status(): number {
    return this.header[3]!;
  }
  get dataSegmentLength(): number {
    return readUint24(this.header, 5);
  }
  get lun(): Uint8Array {
    return this.header.subarray(8, 16);
  }
  get isid(): Uint8Array {
    return this.header.subarray(8, 14);
  }
  get tsih(): number {
    return readUint16(this.header, 14);
  }
  get initiatorTaskTag(): number {
    return readUint32(this.header, 16);
  }
  get targetTransferTag(): number {
    return readUint32(this.header, 20);
  }
  get statSn(): number {
    return readUint32(this.header, 24);
  }
  get expCmdSn(): number {
    return readUint32(this.header, 28);
  }
  get maxCmdSn(): number {
    return readUint32(this.header, 32);
  }
  /** DataSN of Data-In, R2TSN of R2T, ExpDataSN of a response. */
  get dataSn(): number {
    return readUint32(this.header, 36);
  }
  get statusClass(): number {
    return this.header[36]!;
  }
  get statusDetail(): number {
    return this.header[37]!;
  }
  get asynchronousEvent(): number {
    return this.header[36]!;
  }
  get bufferOffset(): number {
    return readUint32(this.header, 40);
  }
  get residualCount(): number {
    return readUint32(this.header, 44);
  }
  /** Desired Data Transfer Length of R2T (11.8.4). */
  get desiredLength(): number {
    return readUint32(this.header, 44);
  }
  get time2Wait(): number {
    return readUint16(this.header, 40);
  }
  get time2Retain(): number {
    return readUint16(this.header, 42);
  }
}

/** The bits of a PDU that have a fixed value. */
interface Layout {
  /** Bits of byte 1 that are always set, and bits that may be. The others are reserved. */
  readonly flagsSet: number;
  readonly flagsFree: number;
  /** Reserved bytes, each range without its end. */
  readonly reserved: readonly (readonly [start: number, end: number])[];
}

/** RFC 7143, 11.4 to 11.19, of the PDUs that a target sends. */
const LAYOUTS: Readonly<Record<number, Layout>> = {
  [Opcode.nopIn]: { flagsSet: 0x80, flagsFree: 0, reserved: [[2, 4], [36, 48]] },
  [Opcode.scsiResponse]: { flagsSet: 0x80, flagsFree: 0x1e, reserved: [[8, 16], [20, 24]] },
  [Opcode.taskManagementResponse]: {
    flagsSet: 0x80,
    flagsFree: 0,
    reserved: [[3, 4], [8, 16], [20, 24], [36, 48]],
  },
  [Opcode.loginResponse]: { flagsSet: 0, flagsFree: 0xcf, reserved: [[20, 24], [38, 48]] },
  [Opcode.textResponse]: { flagsSet: 0, flagsFree: 0xc0, reserved: [[2, 4], [36, 48]] },
  [Opcode.dataIn]: { flagsSet: 0, flagsFree: 0xc7, reserved: [[2, 3]] },
  [Opcode.logoutResponse]: {
    flagsSet: 0x80,
    flagsFree: 0,
    reserved: [[3, 4], [8, 16], [20, 24], [36, 40], [44, 48]],
  },
  [Opcode.readyToTransfer]: { flagsSet: 0x80, flagsFree: 0, reserved: [[2, 8]] },
  [Opcode.asynchronousMessage]: { flagsSet: 0x80, flagsFree: 0, reserved: [[2, 4], [20, 24], [44, 48]] },
  [Opcode.reject]: { flagsSet: 0x80, flagsFree: 0, reserved: [[3, 4], [8, 16], [20, 24], [40, 48]] },
};

/** Reserved bytes of a Data-In PDU without status (11.7): status, StatSN and residual count. */
const DATA_IN_WITHOUT_STATUS: Layout = {
  flagsSet: 0,
  flagsFree: 0xc0,
  reserved: [[2, 4], [24, 28], [44, 48]],
};

/**
 * Checks what holds of a PDU by itself: a target's opcode, reserved bits and bytes zero, padding zero.
 *
 * @throws {TargetFault} when it does not hold
 */
export function checkLayout(pdu: Pdu): void {
  const isDataWithoutStatus = pdu.opcode === Opcode.dataIn && !pdu.hasStatus;
  const layout = isDataWithoutStatus ? DATA_IN_WITHOUT_STATUS : LAYOUTS[pdu.opcode];
  if (layout === undefined) throw new TargetFault(`Received ${pdu.name}, which no target sends`);
  if ((pdu.header[0]! & 0xc0) !== 0) throw new TargetFault(`Reserved bits of byte 0 are set in ${pdu.name}`);
  if ((pdu.flags & ~layout.flagsFree & 0xff) !== layout.flagsSet) {
    throw new TargetFault(`Byte 1 of ${pdu.name} is ${pdu.flags.toString(16)}h: a reserved bit is wrong`);
  }
  for (const [start, end] of layout.reserved) {
    if (pdu.header.subarray(start, end).some((byte) => byte !== 0)) {
      throw new TargetFault(`Reserved bytes ${start} to ${end - 1} of ${pdu.name} are not zero`);
    }
  }
  if (pdu.padding.some((byte) => byte !== 0)) throw new TargetFault(`The padding of ${pdu.name} is not zero`);
  const needsNoTag = pdu.opcode === Opcode.asynchronousMessage || pdu.opcode === Opcode.reject;
  if (needsNoTag && pdu.initiatorTaskTag !== NO_TAG) {
    throw new TargetFault(`Initiator task tag of ${pdu.name} is ${pdu.initiatorTaskTag}, not ffffffffh`);
  }
}
