/** The commands of SPC, which every device type shares. */
import { type CommandRow, CONTROL } from "./command.ts";
import {
  extendedCopy,
  receiveCopyFailureDetails,
  receiveCopyOperatingParameters,
  receiveCopyStatus,
} from "../commands/extended_copy.ts";
import { inquiry, inquiryWithoutLogicalUnit } from "../commands/inquiry.ts";
import { logSense } from "../commands/log_sense.ts";
import { modeSelect10, modeSelect6 } from "../commands/mode_select.ts";
import { modeSense10, modeSense6 } from "../commands/mode_sense.ts";
import {
  readFullStatus,
  readKeys,
  readReservation,
  reportCapabilities,
} from "../commands/persistent_reserve_in.ts";
import { persistentReserveOut } from "../commands/persistent_reserve_out.ts";
import { allowsRemoval, preventAllowMediumRemoval } from "../commands/prevent_allow_medium_removal.ts";
import { reportLuns, reportLunsWithoutLogicalUnit } from "../commands/report_luns.ts";
import { reportSupportedTaskManagement } from "../commands/report_supported.ts";
import { reportTargetPortGroups } from "../commands/report_target_port_groups.ts";
import { requestSense, requestSenseWithoutLogicalUnit } from "../commands/request_sense.ts";
import { release, reserve } from "../commands/reserve_release.ts";
import { testUnitReady } from "../commands/start_stop_unit.ts";

/** The rows of SPC, by their names. */
export const PRIMARY_COMMANDS: Readonly<Record<string, CommandRow>> = {
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
    isHeadOfQueue: true,
    execute: requestSense,
    executeWithoutLogicalUnit: requestSenseWithoutLogicalUnit,
  },
  "INQUIRY": {
    opcode: 0x12,
    usage: [0x12, 0x01, 0xff, 0xff, 0xff, CONTROL],
    access: "identifies",
    isHeadOfQueue: true,
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
    usage: [0x16, 0, 0, 0, 0, CONTROL],
    access: "reserves",
    execute: reserve,
  },
  "RELEASE(6)": {
    opcode: 0x17,
    usage: [0x17, 0, 0, 0, 0, CONTROL],
    access: "reserves",
    execute: release,
  },
  "MODE SENSE(6)": {
    opcode: 0x1a,
    usage: [0x1a, 0x08, 0xff, 0xff, 0xff, CONTROL],
    access: "inspects",
    execute: modeSense6,
  },
  "PREVENT ALLOW MEDIUM REMOVAL": {
    opcode: 0x1e,
    usage: [0x1e, 0, 0, 0, 0x03, CONTROL],
    access: "configures",
    passesReservations: allowsRemoval,
    execute: preventAllowMediumRemoval,
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
    usage: [0x56, 0, 0, 0, 0, 0, 0, 0, 0, CONTROL],
    access: "reserves",
    execute: reserve,
  },
  "RELEASE(10)": {
    opcode: 0x57,
    usage: [0x57, 0, 0, 0, 0, 0, 0, 0, 0, CONTROL],
    access: "reserves",
    execute: release,
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
    ignores: ["scopeAndType"],
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
    ignores: ["scopeAndType"],
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
    ignores: ["scopeAndType"],
    access: "reserves",
    execute: persistentReserveOut("registerAndIgnoreExistingKey"),
  },
  "PERSISTENT RESERVE OUT REGISTER AND MOVE": {
    opcode: 0x5f,
    serviceAction: 0x07,
    usage: [0x5f, 0x07, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, CONTROL],
    ignores: ["scopeAndType"],
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
  "REPORT LUNS": {
    opcode: 0xa0,
    usage: [0xa0, 0, 0xff, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "identifies",
    isHeadOfQueue: true,
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
  "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS": {
    opcode: 0xa3,
    serviceAction: 0x0d,
    usage: [0xa3, 0x0d, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "inspects",
    execute: reportSupportedTaskManagement,
  },
};
