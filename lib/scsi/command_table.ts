/**
 * Every command of the logical units, by its name in the standards. What is not here is refused; what is here decides
 * by its row what protects the medium from it, and is what REPORT SUPPORTED OPERATION CODES says.
 */
import type { Command } from "./command.ts";
import { CommandKind } from "./command_kind.ts";
import { readCapacity10, readCapacity16 } from "./commands/capacity.ts";
import { getLbaStatus } from "./commands/get_lba_status.ts";
import {
  extendedCopy,
  receiveCopyFailureDetails,
  receiveCopyOperatingParameters,
  receiveCopyStatus,
} from "./commands/extended_copy.ts";
import { inquiry, inquiryWithoutLogicalUnit } from "./commands/inquiry.ts";
import { logSense } from "./commands/log_sense.ts";
import { modeSelect10, modeSelect6 } from "./commands/mode_select.ts";
import { modeSense10, modeSense6 } from "./commands/mode_sense.ts";
import {
  readFullStatus,
  readKeys,
  readReservation,
  reportCapabilities,
} from "./commands/persistent_reserve_in.ts";
import { persistentReserveOut } from "./commands/persistent_reserve_out.ts";
import { preFetch10, preFetch16 } from "./commands/pre_fetch.ts";
import { allowsRemoval, preventAllowMediumRemoval } from "./commands/prevent_allow_medium_removal.ts";
import { readDefectData10, readDefectData12 } from "./commands/read_defect_data.ts";
import * as readWrite from "./commands/read_write.ts";
import { reportLuns, reportLunsWithoutLogicalUnit } from "./commands/report_luns.ts";
import { reportSupportedOperationCodes, reportSupportedTaskManagement } from "./commands/report_supported.ts";
import { reportTargetPortGroups } from "./commands/report_target_port_groups.ts";
import { requestSense, requestSenseWithoutLogicalUnit } from "./commands/request_sense.ts";
import { release10, release6, reserve10, reserve6 } from "./commands/reserve_release.ts";
import { sanitizeBlockErase, sanitizeExitFailureMode, sanitizeOverwrite } from "./commands/sanitize.ts";
import { startStopUnit, startsUnit, testUnitReady } from "./commands/start_stop_unit.ts";
import { synchronizeCache10, synchronizeCache16 } from "./commands/synchronize_cache.ts";
import { unmapBlocks } from "./commands/unmap.ts";
import { compareAndWrite, orWrite16, writeAtomic16 } from "./commands/uninterrupted_write.ts";
import { verify10, verify12, verify16 } from "./commands/verify.ts";
import { writeAndVerify10, writeAndVerify12, writeAndVerify16 } from "./commands/write_and_verify.ts";
import { writeSame10, writeSame16 } from "./commands/write_same.ts";

/** CONTROL, the last byte of every CDB: NACA is looked at, and refused. */
const CONTROL = 0x04;

/** Bytes 2 to 13 of the long CDBs: 8 of address, 4 of length. */
const ADDRESS_AND_LENGTH_16: readonly number[] = Array.from({ length: 12 }, () => 0xff);

/** The rows, in ascending order of operation code and service action. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  "TEST UNIT READY": {
    opcode: 0x00,
    usage: [0x00, 0, 0, 0, 0, CONTROL],
    access: "polls",
    execute: testUnitReady,
  },
  "REQUEST SENSE": {
    opcode: 0x03,
    usage: [0x03, 0x01, 0, 0, 0xff, CONTROL],
    access: "identifies",
    execute: requestSense,
    executeWithoutLogicalUnit: requestSenseWithoutLogicalUnit,
  },
  "READ(6)": {
    opcode: 0x08,
    usage: [0x08, 0x1f, 0xff, 0xff, 0xff, CONTROL],
    access: "reads",
    countsAs: "read",
    execute: readWrite.read6,
  },
  "WRITE(6)": {
    opcode: 0x0a,
    usage: [0x0a, 0x1f, 0xff, 0xff, 0xff, CONTROL],
    access: "writes",
    countsAs: "write",
    execute: readWrite.write6,
  },
  "INQUIRY": {
    opcode: 0x12,
    usage: [0x12, 0x03, 0xff, 0xff, 0xff, CONTROL],
    access: "identifies",
    execute: inquiry,
    executeWithoutLogicalUnit: inquiryWithoutLogicalUnit,
  },
  "MODE SELECT(6)": {
    opcode: 0x15,
    usage: [0x15, 0x13, 0, 0, 0xff, CONTROL],
    access: "configures",
    execute: modeSelect6,
  },
  "RESERVE(6)": {
    opcode: 0x16,
    usage: [0x16, 0x11, 0, 0xff, 0xff, CONTROL],
    access: "reserves",
    execute: reserve6,
  },
  "RELEASE(6)": {
    opcode: 0x17,
    usage: [0x17, 0x11, 0, 0, 0, CONTROL],
    access: "reserves",
    execute: release6,
  },
  "MODE SENSE(6)": {
    opcode: 0x1a,
    usage: [0x1a, 0x08, 0xff, 0xff, 0xff, CONTROL],
    access: "inspects",
    execute: modeSense6,
  },
  "START STOP UNIT": {
    opcode: 0x1b,
    usage: [0x1b, 0x01, 0, 0x0f, 0xf7, CONTROL],
    access: "configures",
    passesReservations: startsUnit,
    execute: startStopUnit,
  },
  "PREVENT ALLOW MEDIUM REMOVAL": {
    opcode: 0x1e,
    usage: [0x1e, 0, 0, 0, 0x03, CONTROL],
    access: "configures",
    passesReservations: allowsRemoval,
    execute: preventAllowMediumRemoval,
  },
  "READ CAPACITY(10)": {
    opcode: 0x25,
    usage: [0x25, 0, 0, 0, 0, 0, 0, 0, 0, CONTROL],
    access: "identifies",
    execute: readCapacity10,
  },
  "READ(10)": {
    opcode: 0x28,
    usage: [0x28, 0xf8, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    access: "reads",
    countsAs: "read",
    execute: readWrite.read10,
  },
  "WRITE(10)": {
    opcode: 0x2a,
    usage: [0x2a, 0xf8, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    access: "writes",
    countsAs: "write",
    execute: readWrite.write10,
  },
  "WRITE AND VERIFY(10)": {
    opcode: 0x2e,
    usage: [0x2e, 0xf6, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    access: "writes",
    countsAs: "write",
    execute: writeAndVerify10,
  },
  "VERIFY(10)": {
    opcode: 0x2f,
    usage: [0x2f, 0xf6, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    access: "reads",
    execute: verify10,
  },
  "PRE-FETCH(10)": {
    opcode: 0x34,
    usage: [0x34, 0x02, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    access: "reads",
    execute: preFetch10,
  },
  "SYNCHRONIZE CACHE(10)": {
    opcode: 0x35,
    usage: [0x35, 0x02, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    access: "synchronizes",
    execute: synchronizeCache10,
  },
  "READ DEFECT DATA(10)": {
    opcode: 0x37,
    usage: [0x37, 0, 0x1f, 0, 0, 0, 0, 0xff, 0xff, CONTROL],
    access: "inspects",
    execute: readDefectData10,
  },
  "WRITE SAME(10)": {
    opcode: 0x41,
    usage: [0x41, 0xfe, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    access: "writes",
    countsAs: "write",
    execute: writeSame10,
  },
  "UNMAP": {
    opcode: 0x42,
    usage: [0x42, 0x01, 0, 0, 0, 0, 0, 0xff, 0xff, CONTROL],
    access: "writes",
    execute: unmapBlocks,
  },
  "SANITIZE OVERWRITE": {
    opcode: 0x48,
    serviceAction: 0x01,
    usage: [0x48, 0xe1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, CONTROL],
    access: "writes",
    execute: sanitizeOverwrite,
  },
  "SANITIZE BLOCK ERASE": {
    opcode: 0x48,
    serviceAction: 0x02,
    usage: [0x48, 0xe2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, CONTROL],
    access: "writes",
    execute: sanitizeBlockErase,
  },
  "SANITIZE EXIT FAILURE MODE": {
    opcode: 0x48,
    serviceAction: 0x1f,
    usage: [0x48, 0x5f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, CONTROL],
    access: "writes",
    execute: sanitizeExitFailureMode,
  },
  "LOG SENSE": {
    opcode: 0x4d,
    usage: [0x4d, 0x01, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff, CONTROL],
    access: "identifies",
    execute: logSense,
  },
  "MODE SELECT(10)": {
    opcode: 0x55,
    usage: [0x55, 0x13, 0, 0, 0, 0, 0, 0xff, 0xff, CONTROL],
    access: "configures",
    execute: modeSelect10,
  },
  "RESERVE(10)": {
    opcode: 0x56,
    usage: [0x56, 0x13, 0, 0, 0, 0, 0, 0xff, 0xff, CONTROL],
    access: "reserves",
    execute: reserve10,
  },
  "RELEASE(10)": {
    opcode: 0x57,
    usage: [0x57, 0x13, 0, 0, 0, 0, 0, 0xff, 0xff, CONTROL],
    access: "reserves",
    execute: release10,
  },
  "MODE SENSE(10)": {
    opcode: 0x5a,
    usage: [0x5a, 0x18, 0xff, 0xff, 0, 0, 0, 0xff, 0xff, CONTROL],
    access: "inspects",
    execute: modeSense10,
  },
  "PERSISTENT RESERVE IN READ KEYS": {
    opcode: 0x5e,
    serviceAction: 0x00,
    usage: [0x5e, 0x00, 0, 0, 0, 0, 0, 0xff, 0xff, CONTROL],
    access: "reserves",
    execute: readKeys,
  },
  "PERSISTENT RESERVE IN READ RESERVATION": {
    opcode: 0x5e,
    serviceAction: 0x01,
    usage: [0x5e, 0x01, 0, 0, 0, 0, 0, 0xff, 0xff, CONTROL],
    access: "reserves",
    execute: readReservation,
  },
  "PERSISTENT RESERVE IN REPORT CAPABILITIES": {
    opcode: 0x5e,
    serviceAction: 0x02,
    usage: [0x5e, 0x02, 0, 0, 0, 0, 0, 0xff, 0xff, CONTROL],
    access: "reserves",
    execute: reportCapabilities,
  },
  "PERSISTENT RESERVE IN READ FULL STATUS": {
    opcode: 0x5e,
    serviceAction: 0x03,
    usage: [0x5e, 0x03, 0, 0, 0, 0, 0, 0xff, 0xff, CONTROL],
    access: "reserves",
    execute: readFullStatus,
  },
  "PERSISTENT RESERVE OUT REGISTER": {
    opcode: 0x5f,
    serviceAction: 0x00,
    usage: [0x5f, 0x00, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, CONTROL],
    access: "reserves",
    execute: persistentReserveOut("register"),
  },
  "PERSISTENT RESERVE OUT RESERVE": {
    opcode: 0x5f,
    serviceAction: 0x01,
    usage: [0x5f, 0x01, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, CONTROL],
    access: "reserves",
    execute: persistentReserveOut("reserve"),
  },
  "PERSISTENT RESERVE OUT RELEASE": {
    opcode: 0x5f,
    serviceAction: 0x02,
    usage: [0x5f, 0x02, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, CONTROL],
    access: "reserves",
    execute: persistentReserveOut("release"),
  },
  "PERSISTENT RESERVE OUT CLEAR": {
    opcode: 0x5f,
    serviceAction: 0x03,
    usage: [0x5f, 0x03, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, CONTROL],
    access: "reserves",
    execute: persistentReserveOut("clear"),
  },
  "PERSISTENT RESERVE OUT PREEMPT": {
    opcode: 0x5f,
    serviceAction: 0x04,
    usage: [0x5f, 0x04, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, CONTROL],
    access: "reserves",
    execute: persistentReserveOut("preempt"),
  },
  "PERSISTENT RESERVE OUT PREEMPT AND ABORT": {
    opcode: 0x5f,
    serviceAction: 0x05,
    usage: [0x5f, 0x05, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, CONTROL],
    access: "reserves",
    execute: persistentReserveOut("preemptAndAbort"),
  },
  "PERSISTENT RESERVE OUT REGISTER AND IGNORE EXISTING KEY": {
    opcode: 0x5f,
    serviceAction: 0x06,
    usage: [0x5f, 0x06, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, CONTROL],
    access: "reserves",
    execute: persistentReserveOut("registerAndIgnoreExistingKey"),
  },
  "PERSISTENT RESERVE OUT REGISTER AND MOVE": {
    opcode: 0x5f,
    serviceAction: 0x07,
    usage: [0x5f, 0x07, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, CONTROL],
    access: "reserves",
    execute: persistentReserveOut("registerAndMove"),
  },
  "EXTENDED COPY(LID1)": {
    opcode: 0x83,
    serviceAction: 0x00,
    usage: [0x83, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "configures",
    execute: extendedCopy,
  },
  "RECEIVE COPY STATUS(LID1)": {
    opcode: 0x84,
    serviceAction: 0x00,
    usage: [0x84, 0x00, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "polls",
    execute: receiveCopyStatus,
  },
  "RECEIVE COPY OPERATING PARAMETERS": {
    opcode: 0x84,
    serviceAction: 0x03,
    usage: [0x84, 0x03, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "polls",
    execute: receiveCopyOperatingParameters,
  },
  "RECEIVE COPY FAILURE DETAILS(LID1)": {
    opcode: 0x84,
    serviceAction: 0x04,
    usage: [0x84, 0x04, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "polls",
    execute: receiveCopyFailureDetails,
  },
  "READ(16)": {
    opcode: 0x88,
    usage: [0x88, 0xf8, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    access: "reads",
    countsAs: "read",
    execute: readWrite.read16,
  },
  "COMPARE AND WRITE": {
    opcode: 0x89,
    usage: [0x89, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0xff, 0, CONTROL],
    access: "writes",
    countsAs: "write",
    execute: compareAndWrite,
  },
  "WRITE(16)": {
    opcode: 0x8a,
    usage: [0x8a, 0xf8, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    access: "writes",
    countsAs: "write",
    execute: readWrite.write16,
  },
  "ORWRITE(16)": {
    opcode: 0x8b,
    usage: [0x8b, 0xf8, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    access: "writes",
    countsAs: "write",
    execute: orWrite16,
  },
  "WRITE AND VERIFY(16)": {
    opcode: 0x8e,
    usage: [0x8e, 0xf6, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    access: "writes",
    countsAs: "write",
    execute: writeAndVerify16,
  },
  "VERIFY(16)": {
    opcode: 0x8f,
    usage: [0x8f, 0xf6, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    access: "reads",
    execute: verify16,
  },
  "PRE-FETCH(16)": {
    opcode: 0x90,
    usage: [0x90, 0x02, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    access: "reads",
    execute: preFetch16,
  },
  "SYNCHRONIZE CACHE(16)": {
    opcode: 0x91,
    usage: [0x91, 0x02, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    access: "synchronizes",
    execute: synchronizeCache16,
  },
  "WRITE SAME(16)": {
    opcode: 0x93,
    usage: [0x93, 0xf9, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    access: "writes",
    countsAs: "write",
    execute: writeSame16,
  },
  "WRITE ATOMIC(16)": {
    opcode: 0x9c,
    usage: [0x9c, 0xf8, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    access: "writes",
    countsAs: "write",
    execute: writeAtomic16,
  },
  "READ CAPACITY(16)": {
    opcode: 0x9e,
    serviceAction: 0x10,
    usage: [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "identifies",
    execute: readCapacity16,
  },
  "GET LBA STATUS": {
    opcode: 0x9e,
    serviceAction: 0x12,
    usage: [0x9e, 0x12, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    access: "reads",
    execute: getLbaStatus,
  },
  "REPORT LUNS": {
    opcode: 0xa0,
    usage: [0xa0, 0, 0xff, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "identifies",
    execute: reportLuns,
    executeWithoutLogicalUnit: reportLunsWithoutLogicalUnit,
  },
  "REPORT TARGET PORT GROUPS": {
    opcode: 0xa3,
    serviceAction: 0x0a,
    usage: [0xa3, 0xea, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "identifies",
    execute: reportTargetPortGroups,
  },
  "REPORT SUPPORTED OPERATION CODES": {
    opcode: 0xa3,
    serviceAction: 0x0c,
    usage: [0xa3, 0x0c, 0x87, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "inspects",
    execute: (_nexus, cdb) => reportSupportedOperationCodes(Object.values(COMMANDS), cdb),
  },
  "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS": {
    opcode: 0xa3,
    serviceAction: 0x0d,
    usage: [0xa3, 0x0d, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "inspects",
    execute: reportSupportedTaskManagement,
  },
  "READ(12)": {
    opcode: 0xa8,
    usage: [0xa8, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "reads",
    countsAs: "read",
    execute: readWrite.read12,
  },
  "WRITE(12)": {
    opcode: 0xaa,
    usage: [0xaa, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "writes",
    countsAs: "write",
    execute: readWrite.write12,
  },
  "WRITE AND VERIFY(12)": {
    opcode: 0xae,
    usage: [0xae, 0xf6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "writes",
    countsAs: "write",
    execute: writeAndVerify12,
  },
  "VERIFY(12)": {
    opcode: 0xaf,
    usage: [0xaf, 0xf6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "reads",
    execute: verify12,
  },
  "READ DEFECT DATA(12)": {
    opcode: 0xb7,
    usage: [0xb7, 0x1f, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "inspects",
    execute: readDefectData12,
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

/** What commands count as, by operation code: none shares its own with a command that counts as something else. */
const KINDS: readonly CommandKind[] = indexKinds();

function indexKinds(): CommandKind[] {
  const kinds = Array.from({ length: 0x100 }, (): CommandKind => CommandKind.other);
  for (const { opcode, countsAs } of Object.values(COMMANDS)) {
    if (countsAs !== undefined) kinds[opcode] = CommandKind[countsAs];
  }
  return kinds;
}

/** What the command of a CDB counts as. */
export function kindOfCommand(cdb: Uint8Array): CommandKind {
  return KINDS[cdb[0]!]!;
}
