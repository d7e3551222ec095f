/**
 * Task management functions (SAM-5, 7.1), each with its bit in the parameter data of REPORT SUPPORTED TASK
 * MANAGEMENT FUNCTIONS (SPC-4, 6.36): byte 0, TRS standing for both target resets. CLEAR ACA has none: it is refused,
 * as this target never establishes an ACA condition (NORMACA is zero).
 */
export const TaskManagement = {
  /** Resolved by the transport, which knows tasks by their tags. */
  abortTask: 0x80,
  abortTaskSet: 0x40,
  clearAca: 0,
  clearTaskSet: 0x10,
  logicalUnitReset: 0x08,
  targetWarmReset: 0x02,
  targetColdReset: 0x02,
} as const;

/** The functions that a nexus carries out. */
export type TaskManagementFunction = Exclude<keyof typeof TaskManagement, "abortTask">;

/** How a task management function ended (SAM-5, 7.1). */
export type TaskManagementResponse = "functionComplete" | "functionNotSupported" | "lunDoesNotExist";
