/**
 * One SCSI command from its first PDU to its status (RFC 7143, 4.2.5 and 11.3 to 11.8), for tests.
 *
 * PDUs in, PDUs out: nothing here touches a connection. Everything that the target may do wrong with one command is
 * noticed here, as a `TargetFault`.
 */
import { readUint32 } from "../../lib/bytes/big_endian.ts";
import { NO_TAG, Opcode, type Pdu, TargetFault } from "./initiator_pdu.ts";
import { dataOut, encodeLun, type Lun, RequestPdu, scsiCommand } from "./initiator_request.ts";
import { ScsiStatus, type Sense, senseOfResponse } from "./initiator_sense.ts";
import { type SessionParameters, splitBytes } from "./initiator_text.ts";

/** A command to send. */
export interface Command {
  readonly cdb: Uint8Array | readonly number[];
  readonly lun?: Lun;
  /** Bytes that the target is expected to send. */
  readonly read?: number;
  /** The data to send. */
  readonly write?: Uint8Array;
  /** Expected Data Transfer Length, if it differs from that of `read` or `write`. */
  readonly expectedLength?: number;
  readonly attribute?: number;
  /** Marked for immediate delivery. */
  readonly isImmediate?: boolean;
  /** Bytes of `write` in the command's own PDU; by default, as many as the login negotiated. */
  readonly immediateDataBytes?: number;
  /** Bytes of `write` sent unsolicited, immediate data included; by default, as many as the login negotiated. */
  readonly unsolicitedBytes?: number;
  /** The CmdSN to send, where it should not be the next one. */
  readonly cmdSn?: number;
}

/** The result of a command. */
export interface CommandResult {
  /** iSCSI response: 0 when the command ended at the target, with a SCSI status (11.4.3). */
  readonly response: number;
  /** SCSI status. */
  readonly status: number;
  readonly sense: Sense | undefined;
  /** The data from the target. */
  readonly data: Uint8Array;
  /** Bytes that were expected and not transferred as a negative number, bytes that found no room as a positive. */
  readonly residual: number;
}

/** Returns the lengths of the immediate and the unsolicited data of a command. */
function unsolicitedLengths(
  command: Command,
  parameters: SessionParameters,
): { immediate: number; all: number } {
  const length = command.write?.length ?? 0;
  const burst = Math.min(length, parameters.firstBurstBytes);
  const settled = parameters.immediateData ? Math.min(burst, parameters.sendBytesMax) : 0;
  const immediate = command.immediateDataBytes ?? Math.min(settled, command.unsolicitedBytes ?? settled);
  return { immediate, all: command.unsolicitedBytes ?? (parameters.initialR2T ? immediate : burst) };
}

/** Follows one command. */
export class CommandTransfer {
  readonly #command: Command;
  readonly #parameters: SessionParameters;
  readonly #tag: number;
  readonly #lun: Uint8Array;
  readonly #write: Uint8Array;
  readonly #expectedLength: number;
  readonly #unsolicited: { readonly immediate: number; readonly all: number };
  readonly #read: Uint8Array;
  #readBytes = 0;
  #dataInCount = 0;
  /** Bytes of the sequence of Data-In that is under way; 0 when the last one ended. */
  #sequenceBytes = 0;
  #askedBytes: number;
  #r2tCount = 0;
  #result: CommandResult | undefined;

  constructor(command: Command, initiatorTaskTag: number, parameters: SessionParameters) {
    this.#command = command;
    this.#parameters = parameters;
    this.#tag = initiatorTaskTag;
    this.#lun = encodeLun(command.lun ?? 0);
    this.#write = command.write ?? new Uint8Array(0);
    this.#expectedLength = command.expectedLength ?? command.read ?? this.#write.length;
    this.#unsolicited = unsolicitedLengths(command, parameters);
    this.#read = new Uint8Array(command.read === undefined ? 0 : this.#expectedLength);
    this.#askedBytes = this.#unsolicited.all;
  }

  /** The result of the command; undefined while it runs. */
  get result(): CommandResult | undefined {
    return this.#result;
  }

  /** The command's PDU, and the unsolicited data after it. */
  begin(cmdSn: number, expStatSn: number): RequestPdu[] {
    const { immediate, all } = this.#unsolicited;
    const command = scsiCommand({
      isImmediate: this.#command.isImmediate ?? false,
      isFinal: all <= immediate,
      reads: this.#command.read !== undefined,
      writes: this.#command.write !== undefined,
      ...(this.#command.attribute === undefined ? {} : { attribute: this.#command.attribute }),
      lun: this.#lun,
      expectedLength: this.#expectedLength,
      cdb: Uint8Array.from(this.#command.cdb),
      data: this.#write.subarray(0, immediate),
      initiatorTaskTag: this.#tag,
      cmdSn,
      expStatSn,
    });
    return all <= immediate ? [command] : [command, ...this.#sequence(immediate, all, NO_TAG, expStatSn)];
  }

  /**
   * Takes a PDU that carries this command's tag and returns what to send in answer.
   *
   * @throws {TargetFault} when it is not what the RFC lets follow
   */
  accept(pdu: Pdu, expStatSn: number): RequestPdu[] {
    if (this.#result !== undefined) throw new TargetFault(`Received ${pdu.name} after the command's status`);
    switch (pdu.opcode) {
      case Opcode.dataIn:
        this.#acceptDataIn(pdu);
        return [];
      case Opcode.readyToTransfer:
        return this.#acceptReadyToTransfer(pdu, expStatSn);
      case Opcode.scsiResponse:
        this.#acceptResponse(pdu);
        return [];
      default:
        throw new TargetFault(`Received ${pdu.name} in answer to a command`);
    }
  }

  /** Data-Out PDUs for bytes of the data, the last of them final. */
  #sequence(start: number, end: number, targetTransferTag: number, expStatSn: number): RequestPdu[] {
    const pieces = splitBytes(this.#write.subarray(start, end), this.#parameters.sendBytesMax);
    return pieces.map((data, index) =>
      dataOut({
        isFinal: index === pieces.length - 1,
        lun: this.#lun,
        initiatorTaskTag: this.#tag,
        targetTransferTag,
        expStatSn,
        dataSn: index,
        bufferOffset: start + index * this.#parameters.sendBytesMax,
        data,
      })
    );
  }

  #acceptDataIn(pdu: Pdu): void {
    this.#expect(this.#command.read !== undefined, "Data-In came for a command that does not read");
    this.#expectEqual("DataSN", pdu.dataSn, this.#dataInCount);
    this.#expectEqual("Buffer Offset", pdu.bufferOffset, this.#readBytes);
    const { length } = pdu.data;
    this.#expect(
      length <= this.#parameters.receiveBytesMax,
      `Data-In has ${length} bytes, more than we take`,
    );
    this.#expect(this.#readBytes + length <= this.#read.length, "Data-In exceeds the expected length");
    this.#expect(length > 0 || pdu.hasStatus, "Data-In has neither data nor status");
    if (!pdu.wantsAcknowledgement) {
      this.#expectEqual("Target Transfer Tag of Data-In without A", pdu.targetTransferTag, NO_TAG);
    }
    this.#read.set(pdu.data, this.#readBytes);
    this.#readBytes += length;
    this.#dataInCount++;
    this.#sequenceBytes += length;
    this.#expect(this.#sequenceBytes <= this.#parameters.maxBurstBytes, "a sequence exceeds MaxBurstLength");
    if (pdu.isFinal) this.#sequenceBytes = 0;
    if (!pdu.hasStatus) return;
    this.#expect(pdu.isFinal, "Data-In has S without F");
    this.#expect(
      pdu.status === ScsiStatus.good || pdu.status === ScsiStatus.conditionMet,
      "Data-In has a bad status",
    );
    this.#finish(pdu, 0, undefined);
  }

  #acceptReadyToTransfer(pdu: Pdu, expStatSn: number): RequestPdu[] {
    this.#expect(this.#command.write !== undefined, "R2T came for a command that does not write");
    this.#expectEqual("R2TSN", pdu.dataSn, this.#r2tCount);
    this.#expectEqual("Buffer Offset of R2T", pdu.bufferOffset, this.#askedBytes);
    this.#expect(pdu.targetTransferTag !== NO_TAG, "R2T has no Target Transfer Tag");
    this.#expect(pdu.lun.every((byte, i) => byte === this.#lun[i]), "R2T is for another logical unit");
    const end = pdu.bufferOffset + pdu.desiredLength;
    this.#expect(pdu.desiredLength > 0, "R2T asks for nothing");
    this.#expect(
      pdu.desiredLength <= this.#parameters.maxBurstBytes,
      "R2T asks for more than MaxBurstLength",
    );
    this.#expect(end <= this.#expectedLength, "R2T asks for more than the expected length");
    this.#r2tCount++;
    this.#askedBytes = end;
    return this.#sequence(pdu.bufferOffset, end, pdu.targetTransferTag, expStatSn);
  }

  #acceptResponse(pdu: Pdu): void {
    this.#expectEqual("bytes of an unfinished sequence of Data-In", this.#sequenceBytes, 0);
    this.#expectEqual("ExpDataSN", pdu.dataSn, pdu.response === 0 ? this.#dataInCount : 0);
    const bidirectional = pdu.flags & 0x18 | readUint32(pdu.header, 40);
    this.#expectEqual("a residual of the other direction", bidirectional, 0);
    const sense = senseOfResponse(pdu.data);
    const needsSense = pdu.response === 0 && pdu.status === ScsiStatus.checkCondition;
    this.#expect(needsSense === (sense !== undefined), `status ${pdu.status} and sense data do not fit`);
    this.#finish(pdu, pdu.response, sense);
  }

  #finish(pdu: Pdu, response: number, sense: Sense | undefined): void {
    const { hasOverflow, hasUnderflow, residualCount, status } = pdu;
    this.#expect(!(hasOverflow && hasUnderflow), "O and U are both set");
    this.#expect(
      hasOverflow || hasUnderflow === residualCount > 0,
      "the residual count does not fit O and U",
    );
    this.#expect(response === 0 || residualCount === 0, "a failed response has a residual");
    if (response === 0 && status === ScsiStatus.good) {
      const missing = hasUnderflow ? residualCount : 0;
      const moved = this.#command.read === undefined ? this.#askedBytes : this.#readBytes;
      const expected = this.#expectedLength - missing;
      // What we sent unasked may be more than the command wanted.
      const isRight = moved === expected || this.#command.read === undefined && moved > expected;
      this.#expect(
        isRight,
        `${moved} bytes of ${this.#expectedLength} were moved; the residual is ${missing}`,
      );
    }
    const residual = hasUnderflow ? -residualCount : residualCount;
    this.#result = { response, status, sense, data: this.#read.subarray(0, this.#readBytes), residual };
  }

  #expect(condition: boolean, otherwise: string): void {
    if (!condition) throw new TargetFault(`Command ${this.#tag}: ${otherwise}`);
  }

  #expectEqual(name: string, value: number, expected: number): void {
    this.#expect(value === expected, `${name} is ${value}; expected ${expected}`);
  }
}
