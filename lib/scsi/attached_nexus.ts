import type { NexusIdentity } from "./reservations/nexus_identity.ts";
import type { Task } from "./task.ts";
import type { Traffic } from "./counters/traffic.ts";
import type { Attention } from "./dispatch/unit_attention.ts";

/** An I_T_L nexus, as its logical unit sees it. */
export interface AttachedNexus {
  readonly identity: NexusIdentity;
  /** The identity as `nexusId` writes it. */
  readonly id: string;
  /** The traffic between the initiator and the logical unit. */
  readonly traffic: Traffic;
  /** Establishes a condition of which the initiator must be notified. */
  establish(attention: Attention): void;
  /**
   * Aborts all tasks of this nexus, or those that are affected.
   *
   * @returns a promise that resolves when none of them can still change the medium; undefined when there was no task
   */
  abortTasks(isAffected?: (task: Task) => boolean): Promise<unknown> | undefined;
  /** Resolves when every current task of this nexus has ended. */
  tasksEnded(): Promise<unknown>;
  /**
   * Aborts all tasks for a PREEMPT AND ABORT of another nexus (SPC-4, 5.13.11.2.6), and allows removal of the medium.
   */
  preemptAndAbort(): Promise<unknown> | undefined;
  /** Aborts all tasks for a reset of the logical unit, and notifies the initiator of its cause. */
  reset(cause: Attention): void;
}
