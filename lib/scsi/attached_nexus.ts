import type { NexusIdentity } from "./reservations/nexus_identity.ts";
import type { Task } from "./task.ts";
import type { Traffic } from "./counters/traffic.ts";
import type { Attention } from "./dispatch/unit_attention.ts";

/** An I_T_L nexus as its logical unit needs to know it. */
export interface AttachedNexus {
  readonly identity: NexusIdentity;
  /** The identity as `nexusId` writes it. */
  readonly id: string;
  /** What goes on between the initiator and the logical unit. */
  readonly traffic: Traffic;
  /** Something that the initiator must be told of. */
  establish(attention: Attention): void;
  /**
   * Ends every task of this nexus, or those that are affected.
   *
   * @returns what resolves when nothing of them reaches the medium any more; undefined when there was none
   */
  abortTasks(isAffected?: (task: Task) => boolean): Promise<unknown> | undefined;
  /** Resolves when every task that this nexus has now has come to its end. */
  tasksEnded(): Promise<unknown>;
  /** PREEMPT AND ABORT by another nexus (SPC-4, 5.13.11.2.6): what `abortTasks` does, and the medium may be removed. */
  preemptAndAbort(): Promise<unknown> | undefined;
  /** The logical unit is reset: every task ends, and the initiator must be told why. */
  reset(cause: Attention): void;
}
