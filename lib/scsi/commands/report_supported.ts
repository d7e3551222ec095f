/**
 * REPORT SUPPORTED OPERATION CODES (SPC-4, 6.35) and REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS (SPC-4, 6.36): encodes
 * the tables of commands and functions for initiators.
 */
import { writeUint16, writeUint32 } from "../../bytes/big_endian.ts";
import { bitsOf, bytesOf, type CdbFields, isSet, readField, refuseField } from "../dispatch/cdb_field.ts";
import type { Command } from "../dispatch/command.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";
import { TaskManagement } from "../task_management.ts";

/** The fields of REPORT SUPPORTED OPERATION CODES. `withTimeouts` is RCTD. */
export const REPORT_OPERATION_CODES_FIELDS = {
  withTimeouts: bitsOf(2, 0x80),
  reportingOptions: bitsOf(2, 0x07),
  opcode: bytesOf(3, 1),
  serviceAction: bytesOf(4, 2),
  allocationLength: bytesOf(6, 4),
} as const;

/** Values of REPORTING OPTIONS. */
const ReportingOptions = {
  allCommands: 0b000,
  operationCode: 0b001,
  operationCodeAndServiceAction: 0b010,
  eitherOfThem: 0b011,
} as const;

/** SUPPORT, in byte 1 of the parameter data for one command. */
const NOT_SUPPORTED = 0b001;
const SUPPORTED_AS_STANDARD = 0b011;

/** CTDP, at its two places. */
const CTDP_OF_ONE_COMMAND = 0x80;
const CTDP_OF_DESCRIPTOR = 0x02;
const SERVACTV = 0x01;

/** A command timeouts descriptor (SPC-4, 6.35.4): its length, and no timeouts. */
const TIMEOUTS_DESCRIPTOR = [0x00, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/**
 * Encodes a command descriptor (SPC-4, 6.35.2).
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

/** Encodes all command descriptors, after their total length. */
function encodeAllCommands(commands: readonly Command[], withTimeouts: boolean): Uint8Array {
  const descriptors = commands.flatMap((command) => encodeDescriptor(command, withTimeouts));
  const header = new Uint8Array(4);
  writeUint32(header, 0, descriptors.length);
  return Uint8Array.of(...header, ...descriptors);
}

/**
 * Encodes the parameter data for one command (SPC-4, 6.35.3).
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

/** REPORT SUPPORTED OPERATION CODES for a table of commands. */
export function reportSupportedOperationCodes(
  commands: readonly Command[],
  cdb: Uint8Array,
  fields: typeof REPORT_OPERATION_CODES_FIELDS,
): Operation {
  const withTimeouts = isSet(cdb, fields.withTimeouts);
  const options = readField(cdb, fields.reportingOptions);
  const allocationLength = readField(cdb, fields.allocationLength);
  if (options === ReportingOptions.allCommands) {
    return sendParameterData(encodeAllCommands(commands, withTimeouts), allocationLength);
  }
  if (options > ReportingOptions.eitherOfThem) return refuseField(fields.reportingOptions);
  const wanted = readField(cdb, fields.opcode);
  const ofOpcode = commands.filter(({ opcode }) => opcode === wanted);
  const hasServiceActions = ofOpcode.some(({ serviceAction }) => serviceAction !== undefined);
  // Options 001b and 010b are errors for an operation code with and without service actions, respectively.
  const wrongOptions = hasServiceActions
    ? ReportingOptions.operationCode
    : ReportingOptions.operationCodeAndServiceAction;
  if (ofOpcode.length > 0 && options === wrongOptions) return refuseField(fields.reportingOptions);
  const serviceAction = readField(cdb, fields.serviceAction);
  // With 001b the field is ignored. With 011b it must be zero for a command without service actions.
  const isIgnored = options === ReportingOptions.operationCode;
  const command = ofOpcode.find((candidate) => isIgnored || (candidate.serviceAction ?? 0) === serviceAction);
  return sendParameterData(encodeOneCommand(command, withTimeouts), allocationLength);
}

/** The fields of REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS. `isExtended` is REPD. */
export const REPORT_TASK_MANAGEMENT_FIELDS: CdbFields<"isExtended" | "allocationLength"> = {
  isExtended: bitsOf(2, 0x80),
  allocationLength: bytesOf(6, 4),
};

const EXTENDED_LENGTH_BYTES = 16;
const LENGTH_BYTES = 4;

/** REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS. The extended form adds timeouts, all of them not indicated. */
export function reportSupportedTaskManagement(
  _nexus: ItlNexus,
  cdb: Uint8Array,
  fields: typeof REPORT_TASK_MANAGEMENT_FIELDS,
): Operation {
  const isExtended = isSet(cdb, fields.isExtended);
  const data = new Uint8Array(isExtended ? EXTENDED_LENGTH_BYTES : LENGTH_BYTES);
  writeUint16(data, 0, Object.values(TaskManagement).reduce((bits: number, bit) => bits | bit, 0));
  if (isExtended) data[3] = EXTENDED_LENGTH_BYTES - LENGTH_BYTES;
  return sendParameterData(data, readField(cdb, fields.allocationLength));
}
