import type { AttachedNexus, LogicalUnit } from "./logical_unit.ts";
import { Sense } from "./sense.ts";
import type { TargetDescription } from "./target_description.ts";
import type { Task } from "./task.ts";
import { type Attention, UnitAttentionQueue } from "./unit_attention.ts";

/**
 * An I_T_L nexus (SAM-5): what one initiator port and one logical unit have to do with each other, and the one
 * owner of that state. Commands run against it.
 */
export class ItlNexus implements AttachedNexus {
  readonly target: TargetDescription;
  readonly logicalUnit: LogicalUnit;
  readonly attentions = new UnitAttentionQueue();
  readonly #tasks = new Set<Task>();

  constructor(target: TargetDescription, logicalUnit: LogicalUnit) {
    this.target = target;
    this.logicalUnit = logicalUnit;
    this.attentions.establish(Sense.powerOnResetOrBusDeviceResetOccurred);
    logicalUnit.attach(this);
  }

  enter(task: Task): void {
    this.#tasks.add(task);
  }

  leave(task: Task): void {
    this.#tasks.delete(task);
  }

  establish(attention: Attention): void {
    this.attentions.establish(attention);
  }

  abortTasks(): boolean {
    const tasks = [...this.#tasks];
    this.#tasks.clear();
    for (const task of tasks) task.abort();
    return tasks.length > 0;
  }

  /** The end of the nexus: its tasks are aborted, and the logical unit forgets it. */
  close(): void {
    this.abortTasks();
    this.logicalUnit.detach(this);
  }
}
