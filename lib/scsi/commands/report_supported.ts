/**
 * REPORT SUPPORTED OPERATION CODES (SPC-4, 6.35) and REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS (SPC-4, 6.36): the
 * tables themselves, as initiators read them.
 */
import { readUint16, readUint32, writeUint16, writeUint32 } from "../../bytes/big_endian.ts";
import type { Command } from "../dispatch/command.ts";
import { refusedForField } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";
import { TaskManagement } from "../task_management.ts";

/** Byte 2 of the CDB: return command timeouts descriptors, and which commands to report. */
const RCTD = 0x80;
const REPORTING_OPTIONS = 0x07;
const ReportingOptions = {
  allCommands: 0b000,
  operationCode: 0b001,
  operationCodeAndServiceAction: 0b010,
  eitherOfThem: 0b011,
} as const;

/** SUPPORT, in byte 1 of the parameter data for one command. */
const NOT_SUPPORTED = 0b001;
const SUPPORTED_AS_STANDARD = 0b011;

/** The same flag has two places. */
const CTDP_OF_ONE_COMMAND = 0x80;
const CTDP_OF_DESCRIPTOR = 0x02;
const SERVACTV = 0x01;

/** Command timeouts descriptor (SPC-4, 6.35.4): its length, and no timeout indicated. */
const TIMEOUTS_DESCRIPTOR = [0x00, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/**
 * A command descriptor (SPC-4, 6.35.2).
 *
 * ```text
 *  0   | operation code
 *  2-3 | service action
 *  5   | CTDP, SERVACTV
 *  6-7 | CDB length
 *  8-  | command timeouts descriptor, if asked for
 * ```
 */
function encodeDescriptor(command: Command, withTimeouts: boolean): number[] {
  const descriptor = new Uint8Array(8);
  descriptor[0] = command.opcode;
  writeUint16(descriptor, 2, command.serviceAction ?? 0);
  descriptor[5] = (withTimeouts ? CTDP_OF_DESCRIPTOR : 0) |
    (command.serviceAction === undefined ? 0 : SERVACTV);
  writeUint16(descriptor, 6, command.usage.length);
  return [...descriptor, ...(withTimeouts ? TIMEOUTS_DESCRIPTOR : [])];
}

/** All command descriptors, after the length of them all. */
function encodeAllCommands(commands: readonly Command[], withTimeouts: boolean): Uint8Array {
  const descriptors = commands.flatMap((command) => encodeDescriptor(command, withTimeouts));
  const header = new Uint8Array(4);
  writeUint32(header, 0, descriptors.length);
  return Uint8Array.of(...header, ...descriptors);
}

/**
 * Parameter data for one command (SPC-4, 6.35.3).
 *
 * ```text
 *  1   | CTDP, SUPPORT
 *  2-3 | CDB size
 *  4-  | CDB usage data, then the command timeouts descriptor, if asked for
 * ```
 */
function encodeOneCommand(command: Command | undefined, withTimeouts: boolean): Uint8Array {
  if (command === undefined) return Uint8Array.of(0, NOT_SUPPORTED, 0, 0);
  const header = new Uint8Array(4);
  header[1] = SUPPORTED_AS_STANDARD | (withTimeouts ? CTDP_OF_ONE_COMMAND : 0);
  writeUint16(header, 2, command.usage.length);
  return Uint8Array.of(...header, ...command.usage, ...(withTimeouts ? TIMEOUTS_DESCRIPTOR : []));
}

/** REPORT SUPPORTED OPERATION CODES, out of a table of commands. */
export function reportSupportedOperationCodes(commands: readonly Command[], cdb: Uint8Array): Operation {
  const withTimeouts = (cdb[2]! & RCTD) !== 0;
  const options = cdb[2]! & REPORTING_OPTIONS;
  const allocationLength = readUint32(cdb, 6);
  if (options === ReportingOptions.allCommands) {
    return sendParameterData(encodeAllCommands(commands, withTimeouts), allocationLength);
  }
  if (options > ReportingOptions.eitherOfThem) return refusedForField(2, 2);
  const ofOpcode = commands.filter(({ opcode }) => opcode === cdb[3]);
  const hasServiceActions = ofOpcode.some(({ serviceAction }) => serviceAction !== undefined);
  if (ofOpcode.length > 0) {
    // Asking for an operation code without service actions as if it had some, or the other way round, is an error.
    if (options === ReportingOptions.operationCode && hasServiceActions) return refusedForField(2, 2);
    if (options === ReportingOptions.operationCodeAndServiceAction && !hasServiceActions) {
      return refusedForField(2, 2);
    }
  }
  const serviceAction = readUint16(cdb, 4);
  // With 001b the field is ignored; with 011b a command without service actions is there under zero only.
  const isIgnored = options === ReportingOptions.operationCode;
  const command = ofOpcode.find((candidate) => isIgnored || (candidate.serviceAction ?? 0) === serviceAction);
  return sendParameterData(encodeOneCommand(command, withTimeouts), allocationLength);
}

/** REPD in byte 2 of the CDB: return extended parameter data. */
const REPD = 0x80;
const EXTENDED_LENGTH_BYTES = 16;
const LENGTH_BYTES = 4;

/** REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS. The extended form adds timeouts, of which none is indicated. */
export function reportSupportedTaskManagement(_nexus: ItlNexus, cdb: Uint8Array): Operation {
  const isExtended = (cdb[2]! & REPD) !== 0;
  const data = new Uint8Array(isExtended ? EXTENDED_LENGTH_BYTES : LENGTH_BYTES);
  writeUint16(data, 0, Object.values(TaskManagement).reduce((bits: number, bit) => bits | bit, 0));
  if (isExtended) data[3] = EXTENDED_LENGTH_BYTES - LENGTH_BYTES;
  return sendParameterData(data, readUint32(cdb, 6));
}
