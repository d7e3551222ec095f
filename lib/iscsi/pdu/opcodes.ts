/** The opcodes of PDUs that an initiator sends (RFC 7143, 11.2.1.2). */
export const InitiatorOpcode = {
  nopOut: 0x00,
  scsiCommand: 0x01,
  taskManagementRequest: 0x02,
  loginRequest: 0x03,
  textRequest: 0x04,
  dataOut: 0x05,
  logoutRequest: 0x06,
  snackRequest: 0x10,
} as const;

/** The opcodes of PDUs that a target sends (RFC 7143, 11.2.1.2). */
export const TargetOpcode = {
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

const INITIATOR_OPCODE_NAMES: Readonly<Record<number, string>> = {
  [InitiatorOpcode.nopOut]: "NOP-Out",
  [InitiatorOpcode.scsiCommand]: "SCSI Command",
  [InitiatorOpcode.taskManagementRequest]: "Task Management Function Request",
  [InitiatorOpcode.loginRequest]: "Login Request",
  [InitiatorOpcode.textRequest]: "Text Request",
  [InitiatorOpcode.dataOut]: "SCSI Data-Out",
  [InitiatorOpcode.logoutRequest]: "Logout Request",
  [InitiatorOpcode.snackRequest]: "SNACK Request",
};

/** Returns the name of an initiator's opcode in RFC 7143, or `opcode 0x1c` for an undefined one. */
export function initiatorOpcodeName(opcode: number): string {
  return INITIATOR_OPCODE_NAMES[opcode] ?? `opcode 0x${opcode.toString(16).padStart(2, "0")}`;
}
