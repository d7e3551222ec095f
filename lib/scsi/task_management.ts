/**
 * Task management functions (SAM-5, 7.1), each with its bit in the parameter data of REPORT SUPPORTED TASK
 * MANAGEMENT FUNCTIONS (SPC-4, 6.36): bytes 0 and 1, TRS standing for both target resets. CLEAR ACA has none: it is
 * refused, as this target never establishes an ACA condition (NORMACA is zero). QUERY ASYNCHRONOUS EVENT is refused.
 */
export const TaskManagement = {
  /** Like QUERY TASK resolved by the transport, which knows tasks by their tags. */
  abortTask: 0x8000,
  abortTaskSet: 0x4000,
  clearAca: 0,
  clearTaskSet: 0x1000,
  logicalUnitReset: 0x0800,
  queryTask: 0x0400,
  targetWarmReset: 0x0200,
  targetColdReset: 0x0200,
  queryTaskSet: 0x0002,
  nexusReset: 0x0001,
} as const;

/** The functions that a nexus carries out. */
export type TaskManagementFunction = Exclude<keyof typeof TaskManagement, "abortTask" | "queryTask">;

/** How a task management function ended (SAM-5, 7.1). `functionSucceeded`: what was asked for is there. */
export type TaskManagementResponse =
  | "functionComplete"
  | "functionSucceeded"
  | "functionNotSupported"
  | "lunDoesNotExist";
