/** Task management functions and responses (RFC 7143, 11.5 and 11.6), and their SAM equivalents. */
import { serialDistance } from "../../bytes/serial_number.ts";
import type { TaskManagementFunction, TaskManagementResponse } from "../../scsi/task_management.ts";
import type { TaskManagementRequest } from "../pdu/initiator_pdus.ts";
import type { ScsiTask, TaskOwner } from "../task/scsi_task.ts";
import type { Session } from "./session.ts";

/** Functions (RFC 7143, 11.5.1). */
export const TaskManagementFunctionCode = {
  abortTask: 1,
  abortTaskSet: 2,
  clearAca: 3,
  clearTaskSet: 4,
  logicalUnitReset: 5,
  targetWarmReset: 6,
  targetColdReset: 7,
  taskReassign: 8,
  // RFC 7144, 6.3; QUERY ASYNCHRONOUS EVENT (12) is not supported.
  queryTask: 9,
  queryTaskSet: 10,
  nexusReset: 11,
} as const;

/** The tasks that a function for a task set ends: those of one logical unit, or of all. */
export const TaskSetScope: Readonly<Record<number, "logicalUnit" | "target">> = {
  [TaskManagementFunctionCode.abortTaskSet]: "logicalUnit",
  [TaskManagementFunctionCode.clearTaskSet]: "logicalUnit",
  [TaskManagementFunctionCode.logicalUnitReset]: "logicalUnit",
  [TaskManagementFunctionCode.targetWarmReset]: "target",
  [TaskManagementFunctionCode.targetColdReset]: "target",
  // RFC 7144, 6.5.
  [TaskManagementFunctionCode.nexusReset]: "target",
};

/** Functions that end only tasks that were sent before them (RFC 7143, 11.5.1). Resets may end all tasks. */
const ENDS_EARLIER_ONLY: readonly number[] = [
  TaskManagementFunctionCode.abortTaskSet,
  TaskManagementFunctionCode.clearTaskSet,
];

/** Returns the tasks of the session that a function does not end. */
export function sparedTasks(
  session: Session,
  pdu: TaskManagementRequest,
  connection: TaskOwner,
): ReadonlySet<unknown> {
  return ENDS_EARLIER_ONLY.includes(pdu.function) ? session.tasksBehind(pdu.cmdSN, connection) : new Set();
}

/** The connection that a function arrived over. */
export interface ManagingConnection {
  readonly connection: TaskOwner;
  /** Logs a fault of the peer that does no harm. */
  overlook(what: string): void;
}

/** The lowest iSCSIProtocolLevel with the functions of RFC 7144. */
const QUERY_PROTOCOL_LEVEL = 2;

/** Responses (RFC 7143, 11.6.1). */
export const TaskManagementResponseCode = {
  functionComplete: 0,
  taskDoesNotExist: 1,
  lunDoesNotExist: 2,
  taskStillAllegiant: 3,
  taskAllegianceReassignmentNotSupported: 4,
  functionNotSupported: 5,
  // RFC 7144, 6.4.2.
  functionSucceeded: 7,
  functionRejected: 255,
} as const satisfies Record<TaskManagementResponse, number> & Record<string, number>;

/** Carries out a function that arrived over one of the session's connections. Returns the response code. */
export function manageTasks(session: Session, pdu: TaskManagementRequest, from: ManagingConnection): number {
  const code = TaskManagementFunctionCode;
  if (pdu.function >= code.queryTask && session.parameters.protocolLevel < QUERY_PROTOCOL_LEVEL) {
    return TaskManagementResponseCode.functionNotSupported;
  }
  if (pdu.function === code.abortTask) return abortTask(session, pdu, from);
  if (pdu.function === code.queryTask) return queryTask(session, pdu, from);
  if (pdu.function === code.taskReassign) {
    return TaskManagementResponseCode.taskAllegianceReassignmentNotSupported;
  }
  const name = nameOf(pdu.function);
  if (name === undefined) return TaskManagementResponseCode.functionNotSupported;
  if (ENDS_EARLIER_ONLY.includes(pdu.function) && session.contradictsOrder(pdu.cmdSN, from.connection)) {
    from.overlook("a task management request has a CmdSN before that of commands sent earlier");
  }
  const spared = sparedTasks(session, pdu, from.connection);
  return TaskManagementResponseCode[session.nexus!.manage(name, pdu.lun, (task) => !spared.has(task))];
}

function nameOf(code: number): TaskManagementFunction | undefined {
  for (const [name, value] of Object.entries(TaskManagementFunctionCode)) {
    if (value === code && name !== "abortTask" && name !== "queryTask" && name !== "taskReassign") {
      return name as TaskManagementFunction;
    }
  }
  return undefined;
}

/** Reports whether a task is in the task set (RFC 7144, 6.3 and 6.4.2). */
function queryTask(session: Session, pdu: TaskManagementRequest, from: ManagingConnection): number {
  const task = session.task(pdu.referencedTaskTag);
  if (task !== undefined && isFor(task, pdu, from)) return TaskManagementResponseCode.functionSucceeded;
  return session.isManaging(pdu.referencedTaskTag)
    ? TaskManagementResponseCode.functionRejected
    : TaskManagementResponseCode.functionComplete;
}

function abortTask(session: Session, pdu: TaskManagementRequest, from: ManagingConnection): number {
  const { window } = session;
  const task = session.task(pdu.referencedTaskTag);
  if (task !== undefined) {
    return isFor(task, pdu, from)
      ? abort(task, from.connection)
      : TaskManagementResponseCode.taskDoesNotExist;
  }
  // 11.5.1: a task management request cannot be aborted.
  if (session.isManaging(pdu.referencedTaskTag)) return TaskManagementResponseCode.functionRejected;
  // The tag identifies a command that is held, whatever RefCmdSN says. RefCmdSN is for those that have not arrived.
  if (window.abort(pdu.referencedTaskTag, pdu.cmdSN)) return TaskManagementResponseCode.functionComplete;
  // 11.5.5: a command that was sent before this request and has not arrived is not carried out later.
  const isEarlier = serialDistance(pdu.refCmdSN, pdu.cmdSN) > 0;
  return isEarlier && !window.holds(pdu.refCmdSN) && window.cancel(pdu.refCmdSN)
    ? TaskManagementResponseCode.functionComplete
    : TaskManagementResponseCode.taskDoesNotExist;
}

/**
 * Returns true when the LUN of a request agrees with that of the task that it refers to. LUN 0 is accepted, since some
 * initiators do not set the field, and the tag identifies the task.
 */
function isFor(task: ScsiTask, { lun }: TaskManagementRequest, { overlook }: ManagingConnection): boolean {
  if (lun === task.lun) return true;
  if (lun === 0) overlook("a task management request for a task has LUN 0, unlike the task");
  return lun === 0;
}

/** Aborts a task, over the connection that it is allegiant to (11.5.1). */
function abort(task: ScsiTask, connection: TaskOwner): number {
  if (task.owner !== connection) return TaskManagementResponseCode.taskStillAllegiant;
  task.abort();
  return TaskManagementResponseCode.functionComplete;
}
