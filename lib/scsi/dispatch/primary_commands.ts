/** The commands of SPC, which every device type shares. */
import { commandRows } from "./command.ts";
import {
  EXTENDED_COPY_FIELDS,
  extendedCopy,
  RECEIVE_COPY_FIELDS,
  RECEIVE_COPY_PARAMETERS_FIELDS,
  receiveCopyFailureDetails,
  receiveCopyOperatingParameters,
  receiveCopyStatus,
} from "../commands/extended_copy.ts";
import { inquiry, INQUIRY_FIELDS, inquiryWithoutLogicalUnit } from "../commands/inquiry.ts";
import { LOG_SENSE_FIELDS, logSense } from "../commands/log_sense.ts";
import {
  MODE_SELECT_10_FIELDS,
  MODE_SELECT_6_FIELDS,
  modeSelect10,
  modeSelect6,
} from "../commands/mode_select.ts";
import {
  MODE_SENSE_10_FIELDS,
  MODE_SENSE_6_FIELDS,
  modeSense10,
  modeSense6,
} from "../commands/mode_sense.ts";
import {
  readFullStatus,
  readKeys,
  readReservation,
  reportCapabilities,
  RESERVE_IN_FIELDS,
} from "../commands/persistent_reserve_in.ts";
import {
  persistentReserveOut,
  RESERVE_OUT_FIELDS,
  RESERVE_OUT_REGISTER_FIELDS,
} from "../commands/persistent_reserve_out.ts";
import {
  allowsRemoval,
  PREVENT_FIELDS,
  preventAllowMediumRemoval,
} from "../commands/prevent_allow_medium_removal.ts";
import { REPORT_LUNS_FIELDS, reportLuns, reportLunsWithoutLogicalUnit } from "../commands/report_luns.ts";
import {
  REPORT_TASK_MANAGEMENT_FIELDS,
  reportSupportedTaskManagement,
} from "../commands/report_supported.ts";
import { REPORT_PORT_GROUPS_FIELDS, reportTargetPortGroups } from "../commands/report_target_port_groups.ts";
import {
  REQUEST_SENSE_FIELDS,
  requestSense,
  requestSenseWithoutLogicalUnit,
} from "../commands/request_sense.ts";
import { release, reserve } from "../commands/reserve_release.ts";
import { SEND_DIAGNOSTIC_FIELDS, sendDiagnostic } from "../commands/send_diagnostic.ts";
import { testUnitReady } from "../commands/start_stop_unit.ts";

/** The rows of SPC, by their names. */
export const PRIMARY_COMMANDS = commandRows({
  "TEST UNIT READY": {
    opcode: 0x00,
    fields: {},
    access: "polls",
    execute: testUnitReady,
  },
  "REQUEST SENSE": {
    opcode: 0x03,
    fields: REQUEST_SENSE_FIELDS,
    access: "identifies",
    isHeadOfQueue: true,
    execute: requestSense,
    executeWithoutLogicalUnit: requestSenseWithoutLogicalUnit,
  },
  "INQUIRY": {
    opcode: 0x12,
    fields: INQUIRY_FIELDS,
    access: "identifies",
    isHeadOfQueue: true,
    execute: inquiry,
    executeWithoutLogicalUnit: inquiryWithoutLogicalUnit,
  },
  "MODE SELECT(6)": {
    opcode: 0x15,
    fields: MODE_SELECT_6_FIELDS,
    access: "configures",
    execute: modeSelect6,
  },
  "RESERVE(6)": {
    opcode: 0x16,
    fields: {},
    access: "reserves",
    execute: reserve,
  },
  "RELEASE(6)": {
    opcode: 0x17,
    fields: {},
    access: "reserves",
    execute: release,
  },
  "MODE SENSE(6)": {
    opcode: 0x1a,
    fields: MODE_SENSE_6_FIELDS,
    access: "inspects",
    execute: modeSense6,
  },
  "SEND DIAGNOSTIC": {
    opcode: 0x1d,
    fields: SEND_DIAGNOSTIC_FIELDS,
    ignores: ["selfTestPermissions"],
    access: "configures",
    execute: sendDiagnostic,
  },
  "PREVENT ALLOW MEDIUM REMOVAL": {
    opcode: 0x1e,
    fields: PREVENT_FIELDS,
    access: "configures",
    passesReservations: allowsRemoval,
    execute: preventAllowMediumRemoval,
  },
  "LOG SENSE": {
    opcode: 0x4d,
    fields: LOG_SENSE_FIELDS,
    access: "identifies",
    execute: logSense,
  },
  "MODE SELECT(10)": {
    opcode: 0x55,
    fields: MODE_SELECT_10_FIELDS,
    access: "configures",
    execute: modeSelect10,
  },
  "RESERVE(10)": {
    opcode: 0x56,
    fields: {},
    access: "reserves",
    execute: reserve,
  },
  "RELEASE(10)": {
    opcode: 0x57,
    fields: {},
    access: "reserves",
    execute: release,
  },
  "MODE SENSE(10)": {
    opcode: 0x5a,
    fields: MODE_SENSE_10_FIELDS,
    access: "inspects",
    execute: modeSense10,
  },
  "PERSISTENT RESERVE IN READ KEYS": {
    opcode: 0x5e,
    serviceAction: 0x00,
    fields: RESERVE_IN_FIELDS,
    access: "reserves",
    execute: readKeys,
  },
  "PERSISTENT RESERVE IN READ RESERVATION": {
    opcode: 0x5e,
    serviceAction: 0x01,
    fields: RESERVE_IN_FIELDS,
    access: "reserves",
    execute: readReservation,
  },
  "PERSISTENT RESERVE IN REPORT CAPABILITIES": {
    opcode: 0x5e,
    serviceAction: 0x02,
    fields: RESERVE_IN_FIELDS,
    access: "reserves",
    execute: reportCapabilities,
  },
  "PERSISTENT RESERVE IN READ FULL STATUS": {
    opcode: 0x5e,
    serviceAction: 0x03,
    fields: RESERVE_IN_FIELDS,
    access: "reserves",
    execute: readFullStatus,
  },
  "PERSISTENT RESERVE OUT REGISTER": {
    opcode: 0x5f,
    serviceAction: 0x00,
    fields: RESERVE_OUT_REGISTER_FIELDS,
    ignores: ["scopeAndType"],
    access: "reserves",
    execute: persistentReserveOut("register"),
  },
  "PERSISTENT RESERVE OUT RESERVE": {
    opcode: 0x5f,
    serviceAction: 0x01,
    fields: RESERVE_OUT_FIELDS,
    access: "reserves",
    execute: persistentReserveOut("reserve"),
  },
  "PERSISTENT RESERVE OUT RELEASE": {
    opcode: 0x5f,
    serviceAction: 0x02,
    fields: RESERVE_OUT_FIELDS,
    access: "reserves",
    execute: persistentReserveOut("release"),
  },
  "PERSISTENT RESERVE OUT CLEAR": {
    opcode: 0x5f,
    serviceAction: 0x03,
    fields: RESERVE_OUT_REGISTER_FIELDS,
    ignores: ["scopeAndType"],
    access: "reserves",
    execute: persistentReserveOut("clear"),
  },
  "PERSISTENT RESERVE OUT PREEMPT": {
    opcode: 0x5f,
    serviceAction: 0x04,
    fields: RESERVE_OUT_FIELDS,
    access: "reserves",
    execute: persistentReserveOut("preempt"),
  },
  "PERSISTENT RESERVE OUT PREEMPT AND ABORT": {
    opcode: 0x5f,
    serviceAction: 0x05,
    fields: RESERVE_OUT_FIELDS,
    access: "reserves",
    execute: persistentReserveOut("preemptAndAbort"),
  },
  "PERSISTENT RESERVE OUT REGISTER AND IGNORE EXISTING KEY": {
    opcode: 0x5f,
    serviceAction: 0x06,
    fields: RESERVE_OUT_REGISTER_FIELDS,
    ignores: ["scopeAndType"],
    access: "reserves",
    execute: persistentReserveOut("registerAndIgnoreExistingKey"),
  },
  "PERSISTENT RESERVE OUT REGISTER AND MOVE": {
    opcode: 0x5f,
    serviceAction: 0x07,
    fields: RESERVE_OUT_REGISTER_FIELDS,
    ignores: ["scopeAndType"],
    access: "reserves",
    execute: persistentReserveOut("registerAndMove"),
  },
  "EXTENDED COPY(LID1)": {
    opcode: 0x83,
    serviceAction: 0x00,
    fields: EXTENDED_COPY_FIELDS,
    access: "configures",
    execute: extendedCopy,
  },
  "RECEIVE COPY STATUS(LID1)": {
    opcode: 0x84,
    serviceAction: 0x00,
    fields: RECEIVE_COPY_FIELDS,
    access: "polls",
    execute: receiveCopyStatus,
  },
  "RECEIVE COPY OPERATING PARAMETERS": {
    opcode: 0x84,
    serviceAction: 0x03,
    fields: RECEIVE_COPY_PARAMETERS_FIELDS,
    access: "polls",
    execute: receiveCopyOperatingParameters,
  },
  "RECEIVE COPY FAILURE DETAILS(LID1)": {
    opcode: 0x84,
    serviceAction: 0x04,
    fields: RECEIVE_COPY_FIELDS,
    access: "polls",
    execute: receiveCopyFailureDetails,
  },
  "REPORT LUNS": {
    opcode: 0xa0,
    fields: REPORT_LUNS_FIELDS,
    access: "identifies",
    isHeadOfQueue: true,
    execute: reportLuns,
    executeWithoutLogicalUnit: reportLunsWithoutLogicalUnit,
  },
  "REPORT TARGET PORT GROUPS": {
    opcode: 0xa3,
    serviceAction: 0x0a,
    fields: REPORT_PORT_GROUPS_FIELDS,
    access: "identifies",
    execute: reportTargetPortGroups,
  },
  "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS": {
    opcode: 0xa3,
    serviceAction: 0x0d,
    fields: REPORT_TASK_MANAGEMENT_FIELDS,
    access: "inspects",
    execute: reportSupportedTaskManagement,
  },
});
