import type { Clock } from "../clock.ts";
import { Limits } from "../limits.ts";
import type { TaskManagementRequest } from "../pdu/initiator_pdus.ts";
import { rejected } from "../pdu/protocol_error.ts";
import { RejectReason } from "../pdu/reject_reason.ts";
import type { Session } from "../session/session.ts";
import {
  manageTasks,
  sparedTasks,
  TaskManagementFunctionCode,
  TaskManagementResponseCode,
  TaskSetScope,
} from "../session/task_management.ts";
import type { TaskOwner } from "../task/scsi_task.ts";
import type { ReplyWriter } from "../wire/reply_writer.ts";
import type { DeferredResponses } from "./deferred_responses.ts";
import type { PeerLog } from "./peer_log.ts";
import type { WindowAnnouncer } from "./window_announcer.ts";

/** The parts of a connection that task management uses. */
export interface TaskManagementOptions {
  readonly session: Session;
  /** The connection that the requests arrive over. */
  readonly connection: TaskOwner;
  readonly replies: ReplyWriter;
  readonly window: WindowAnnouncer;
  readonly deferred: DeferredResponses;
  readonly clock: Clock;
  readonly peerLog: PeerLog;
}

/** Task management requests of one connection (RFC 7143, 11.5 and 11.6). */
export class TaskManagementRequests {
  readonly #options: TaskManagementOptions;

  constructor(options: TaskManagementOptions) {
    this.#options = options;
  }

  /**
   * Carries out a function. Sends the response when nothing of the tasks that it ended can still reach a medium, and
   * the initiator has delivered what it owes (4.2.3.3 and 11.5.1).
   *
   * @throws {ProtocolError} of kind `reject`
   */
  receive(pdu: TaskManagementRequest): void {
    const { session, deferred } = this.#options;
    if (deferred.isFull) {
      throw rejected(RejectReason.immediateCommandReject, "Too many task management requests");
    }
    const owed = this.#owedFor(pdu);
    // The tag of a task is right where the LUN beside it need not be.
    const lun = session.task(pdu.referencedTaskTag)?.lun ?? pdu.lun;
    const { connection, peerLog } = this.#options;
    const response = manageTasks(session, pdu, { connection, overlook: (what) => peerLog.overlook(what) });
    const isDone = response === TaskManagementResponseCode.functionComplete;
    const waits = isDone ? [this.#settledFor(pdu, lun), owed].filter((wait) => wait !== undefined) : [];
    // The function may have used up numbers of commands that will never arrive.
    this.#options.window.openWindow();
    session.beginManaging(pdu.initiatorTaskTag);
    deferred.after(waits.length === 0 ? undefined : Promise.all(waits), () => {
      session.endManaging(pdu.initiatorTaskTag);
      this.#respond(pdu, response);
    });
  }

  /** Resolves when the initiator has delivered what it owes before a set of tasks ends, or when its time is over. */
  #owedFor(pdu: TaskManagementRequest): Promise<void> | undefined {
    const { session, clock } = this.#options;
    const scope = TaskSetScope[pdu.function];
    if (scope === undefined) return undefined;
    const spared = sparedTasks(session, pdu, this.#options.connection);
    const owed = session.owed(scope === "target" ? undefined : pdu.lun, spared);
    if (owed.length === 0) return undefined;
    const cancel = clock.after(Limits.owedMs, () => {
      for (const expectation of owed) expectation.giveUp();
    });
    return Promise.all(owed.map(({ met }) => met)).then(cancel);
  }

  /** Selects the logical units by function: a target or nexus function affects all, a query none, others one. */
  #settledFor(pdu: TaskManagementRequest, lun: number | undefined): Promise<unknown> | undefined {
    const { session } = this.#options;
    switch (pdu.function) {
      case TaskManagementFunctionCode.queryTask:
      case TaskManagementFunctionCode.queryTaskSet:
        return undefined;
      case TaskManagementFunctionCode.targetWarmReset:
      case TaskManagementFunctionCode.targetColdReset:
      case TaskManagementFunctionCode.nexusReset:
        return session.settled();
      case TaskManagementFunctionCode.abortTask:
        return session.settled(lun);
      default:
        return session.settled(pdu.lun);
    }
  }

  #respond(pdu: TaskManagementRequest, response: number): void {
    const { session, replies } = this.#options;
    replies.taskManagementResponse(pdu.initiatorTaskTag, response);
    if (response !== TaskManagementResponseCode.functionComplete) return;
    switch (pdu.function) {
      case TaskManagementFunctionCode.targetColdReset:
        return session.resetTarget();
      // RFC 7144, 6.3: all connections of the session end, as if they had timed out.
      case TaskManagementFunctionCode.nexusReset:
        return session.finish();
    }
  }
}
