/**
 * Task management functions (SAM-5, 7.1), each with its bit in bytes 0 and 1 of the parameter data of REPORT SUPPORTED
 * TASK MANAGEMENT FUNCTIONS (SPC-4, 6.36). TRS stands for both target resets. CLEAR ACA has no bit and is refused,
 * since this target never establishes an ACA condition (NORMACA is zero). QUERY ASYNCHRONOUS EVENT is refused, too.
 */
export const TaskManagement = {
  /** Handled by the transport, like QUERY TASK, because it knows the tags of tasks. */
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

/** The response to a task management function (SAM-5, 7.1). `functionSucceeded`: a query has found a task. */
export type TaskManagementResponse =
  | "functionComplete"
  | "functionSucceeded"
  | "functionNotSupported"
  | "lunDoesNotExist";
