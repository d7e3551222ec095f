/**
 * Every command of the logical units, by its name in the standards. What is not here is refused; what is here decides
 * by its row what protects the medium from it, and is what REPORT SUPPORTED OPERATION CODES says.
 */
import type { Command } from "./command.ts";
import { readCapacity10, readCapacity16 } from "./commands/capacity.ts";
import { inquiry, inquiryWithoutLogicalUnit } from "./commands/inquiry.ts";
import { modeSense10, modeSense6 } from "./commands/mode_sense.ts";
import * as readWrite from "./commands/read_write.ts";
import { reportLuns, reportLunsWithoutLogicalUnit } from "./commands/report_luns.ts";
import { reportSupportedOperationCodes, reportSupportedTaskManagement } from "./commands/report_supported.ts";
import { requestSense, requestSenseWithoutLogicalUnit } from "./commands/request_sense.ts";
import { startStopUnit, testUnitReady } from "./commands/start_stop_unit.ts";
import { synchronizeCache10, synchronizeCache16 } from "./commands/synchronize_cache.ts";
import { verify10, verify12, verify16 } from "./commands/verify.ts";

/** CONTROL, the last byte of every CDB: NACA is looked at, and refused. */
const CONTROL = 0x04;

/** Bytes 2 to 13 of the long CDBs: 8 of address, 4 of length. */
const ADDRESS_AND_LENGTH_16: readonly number[] = Array.from({ length: 12 }, () => 0xff);

/** The rows, in ascending order of operation code and service action. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  "TEST UNIT READY": {
    opcode: 0x00,
    usage: [0x00, 0, 0, 0, 0, CONTROL],
    access: "none",
    execute: testUnitReady,
  },
  "REQUEST SENSE": {
    opcode: 0x03,
    usage: [0x03, 0x01, 0, 0, 0xff, CONTROL],
    access: "none",
    execute: requestSense,
    executeWithoutLogicalUnit: requestSenseWithoutLogicalUnit,
  },
  "READ(6)": {
    opcode: 0x08,
    usage: [0x08, 0x1f, 0xff, 0xff, 0xff, CONTROL],
    access: "reads",
    execute: readWrite.read6,
  },
  "WRITE(6)": {
    opcode: 0x0a,
    usage: [0x0a, 0x1f, 0xff, 0xff, 0xff, CONTROL],
    access: "writes",
    execute: readWrite.write6,
  },
  "INQUIRY": {
    opcode: 0x12,
    usage: [0x12, 0x03, 0xff, 0xff, 0xff, CONTROL],
    access: "none",
    execute: inquiry,
    executeWithoutLogicalUnit: inquiryWithoutLogicalUnit,
  },
  "MODE SENSE(6)": {
    opcode: 0x1a,
    usage: [0x1a, 0x08, 0xff, 0xff, 0xff, CONTROL],
    access: "none",
    execute: modeSense6,
  },
  "START STOP UNIT": {
    opcode: 0x1b,
    usage: [0x1b, 0x01, 0, 0x0f, 0xf7, CONTROL],
    access: "none",
    execute: startStopUnit,
  },
  "READ CAPACITY(10)": {
    opcode: 0x25,
    usage: [0x25, 0, 0, 0, 0, 0, 0, 0, 0, CONTROL],
    access: "none",
    execute: readCapacity10,
  },
  "READ(10)": {
    opcode: 0x28,
    usage: [0x28, 0xf8, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    access: "reads",
    execute: readWrite.read10,
  },
  "WRITE(10)": {
    opcode: 0x2a,
    usage: [0x2a, 0xf8, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    access: "writes",
    execute: readWrite.write10,
  },
  "VERIFY(10)": {
    opcode: 0x2f,
    usage: [0x2f, 0xf6, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    access: "reads",
    execute: verify10,
  },
  "SYNCHRONIZE CACHE(10)": {
    opcode: 0x35,
    usage: [0x35, 0x02, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    access: "synchronizes",
    execute: synchronizeCache10,
  },
  "MODE SENSE(10)": {
    opcode: 0x5a,
    usage: [0x5a, 0x18, 0xff, 0xff, 0, 0, 0, 0xff, 0xff, CONTROL],
    access: "none",
    execute: modeSense10,
  },
  "READ(16)": {
    opcode: 0x88,
    usage: [0x88, 0xf8, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    access: "reads",
    execute: readWrite.read16,
  },
  "WRITE(16)": {
    opcode: 0x8a,
    usage: [0x8a, 0xf8, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    access: "writes",
    execute: readWrite.write16,
  },
  "VERIFY(16)": {
    opcode: 0x8f,
    usage: [0x8f, 0xf6, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    access: "reads",
    execute: verify16,
  },
  "SYNCHRONIZE CACHE(16)": {
    opcode: 0x91,
    usage: [0x91, 0x02, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    access: "synchronizes",
    execute: synchronizeCache16,
  },
  "READ CAPACITY(16)": {
    opcode: 0x9e,
    serviceAction: 0x10,
    usage: [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "none",
    execute: readCapacity16,
  },
  "REPORT LUNS": {
    opcode: 0xa0,
    usage: [0xa0, 0, 0xff, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "none",
    execute: reportLuns,
    executeWithoutLogicalUnit: reportLunsWithoutLogicalUnit,
  },
  "REPORT SUPPORTED OPERATION CODES": {
    opcode: 0xa3,
    serviceAction: 0x0c,
    usage: [0xa3, 0x0c, 0x87, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "none",
    execute: (_nexus, cdb) => reportSupportedOperationCodes(Object.values(COMMANDS), cdb),
  },
  "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS": {
    opcode: 0xa3,
    serviceAction: 0x0d,
    usage: [0xa3, 0x0d, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "none",
    execute: reportSupportedTaskManagement,
  },
  "READ(12)": {
    opcode: 0xa8,
    usage: [0xa8, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "reads",
    execute: readWrite.read12,
  },
  "WRITE(12)": {
    opcode: 0xaa,
    usage: [0xaa, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "writes",
    execute: readWrite.write12,
  },
  "VERIFY(12)": {
    opcode: 0xaf,
    usage: [0xaf, 0xf6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "reads",
    execute: verify12,
  },
};

/** Bits 4-0 of byte 1, where a service action is if the operation code has any (SPC-4, 4.2.5). */
const SERVICE_ACTION_BITS = 5;
const SERVICE_ACTION_MASK = 0x1f;

/** The rows at `opcode << 5 | service action`; one without a service action is there under all of them. */
const INDEX: readonly (Command | undefined)[] = indexCommands();

function indexCommands(): (Command | undefined)[] {
  const index = Array.from({ length: 0x100 << SERVICE_ACTION_BITS }, (): Command | undefined => undefined);
  for (const command of Object.values(COMMANDS)) {
    const first = command.opcode << SERVICE_ACTION_BITS;
    if (command.serviceAction === undefined) index.fill(command, first, first + SERVICE_ACTION_MASK + 1);
    else index[first | command.serviceAction] = command;
  }
  return index;
}

/** The row for a CDB; undefined when it names no command of ours. */
export function findCommand(cdb: Uint8Array): Command | undefined {
  return INDEX[cdb[0]! << SERVICE_ACTION_BITS | cdb[1]! & SERVICE_ACTION_MASK];
}

/** Whether any command has this operation code. */
export function isKnownOpcode(opcode: number): boolean {
  return Object.values(COMMANDS).some((command) => command.opcode === opcode);
}
