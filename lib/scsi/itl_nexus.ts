import type { ByteBudget } from "./medium/byte_budget.ts";
import { CopyRecords } from "./copy/copy_records.ts";
import type { AttachedNexus } from "./attached_nexus.ts";
import type { LogicalUnit } from "./logical_unit.ts";
import { Sense } from "./outcome/sense.ts";
import { nexusId, type NexusIdentity } from "./reservations/nexus_identity.ts";
import type { TargetDescription } from "./target_description.ts";
import type { Task } from "./task.ts";
import type { TaskAttribute } from "./task_attribute.ts";
import { EnabledTasks } from "./task_set.ts";
import { Traffic } from "./counters/traffic.ts";
import { type Attention, UnitAttentionQueue } from "./dispatch/unit_attention.ts";

/**
 * An I_T_L nexus (SAM-5): the relation between one initiator port and one logical unit, and the owner of its state.
 * Commands run against it.
 */
export class ItlNexus implements AttachedNexus {
  readonly target: TargetDescription;
  readonly logicalUnit: LogicalUnit;
  readonly identity: NexusIdentity;
  readonly id: string;
  readonly attentions = new UnitAttentionQueue();
  readonly traffic = new Traffic();
  /** Memory for the data of commands that collect all of it before they begin, shared by the I_T nexus. */
  readonly collected: ByteBudget;
  readonly copyRecords = new CopyRecords();
  /**
   * Returns the I_T_L nexus of the same initiator with the logical unit that has this NAA; undefined if there is none.
   */
  readonly reach: (naa: string) => ItlNexus | undefined;
  /** Called when the initiator has received the list of logical units. */
  readonly onLunsReported: () => void;
  readonly #tasks = new Set<Task>();
  readonly #enabledTasks = new EnabledTasks();
  #isDeparted = false;
  /** The callers of `tasksEnded`, each with the tasks that it waits for. */
  #waiting: { readonly tasks: Set<Task>; readonly ended: () => void }[] = [];

  constructor(
    target: TargetDescription,
    logicalUnit: LogicalUnit,
    options: Pick<ItlNexus, "collected" | "reach" | "onLunsReported"> & { readonly initiatorPort: string },
  ) {
    this.target = target;
    this.identity = { initiatorPort: options.initiatorPort, targetPort: target.relativePortIdentifier };
    this.id = nexusId(this.identity);
    this.collected = options.collected;
    this.reach = options.reach;
    this.onLunsReported = options.onLunsReported;
    this.logicalUnit = logicalUnit;
    this.attentions.establish(Sense.powerOnResetOrBusDeviceResetOccurred);
    logicalUnit.attach(this);
  }

  /** Reports whether a command with this attribute may begin at once (SAM-5, 8). */
  admits(attribute: TaskAttribute): boolean {
    return this.logicalUnit.tasks.admits(this.#enabledTasks, attribute);
  }

  /** Makes a command wait in the task set. Resolves when it may begin; never if it leaves before. */
  wait(task: Task): Promise<void> {
    this.#tasks.add(task);
    return this.logicalUnit.tasks.wait(this.#enabledTasks, task);
  }

  /** Adds a command that has begun and not ended at once. A command that waits is already in the task set. */
  enter(task: Task): void {
    if (task.isDormant) return;
    this.#tasks.add(task);
    this.logicalUnit.tasks.enter(this.#enabledTasks, task);
  }

  /**
   * Removes a command that has ended; returns false when it is not in the task set.
   *
   * @param settled resolves when it cannot change the medium further
   */
  leave(task: Task, settled?: Promise<unknown>): boolean {
    if (!this.#tasks.delete(task)) return false;
    this.logicalUnit.tasks.leave(this.#enabledTasks, task, settled);
    if (this.#waiting.length > 0) this.#resolveEnded(task);
    return true;
  }

  establish(attention: Attention): void {
    this.attentions.establish(attention);
  }

  /** True when the logical unit was removed from the target, or the nexus has ended: no further work may begin. */
  get isDeparted(): boolean {
    return this.#isDeparted;
  }

  /** Marks the nexus of a logical unit that was removed from the target. Running tasks finish. */
  depart(): void {
    this.#isDeparted = true;
  }

  /** True while a task has not ended (QUERY TASK SET). */
  get hasTasks(): boolean {
    return this.#tasks.size > 0;
  }

  abortTasks(isAffected: (task: Task) => boolean = () => true): Promise<unknown> | undefined {
    const tasks = [...this.#tasks].filter(isAffected);
    if (tasks.length === 0) return undefined;
    return this.logicalUnit.tasks.whileHeld(() => Promise.all(tasks.map((task) => this.#abort(task))));
  }

  #abort(task: Task): Promise<unknown> | undefined {
    // The abort of another task may have ended this one, too.
    if (!this.#tasks.has(task)) return undefined;
    const settled = task.abort();
    this.leave(task, settled);
    return settled;
  }

  tasksEnded(): Promise<void> {
    if (this.#tasks.size === 0) return Promise.resolve();
    return new Promise((ended) => this.#waiting.push({ tasks: new Set(this.#tasks), ended }));
  }

  #resolveEnded(task: Task): void {
    this.#waiting = this.#waiting.filter(({ tasks, ended }) => {
      tasks.delete(task);
      if (tasks.size === 0) ended();
      return tasks.size > 0;
    });
  }

  reset(cause: Attention): void {
    this.abortTasks();
    this.copyRecords.clear();
    this.establish(cause);
  }

  preemptAndAbort(): Promise<unknown> | undefined {
    this.logicalUnit.allowRemoval(this);
    const aborted = this.abortTasks();
    if (aborted !== undefined) this.establish(Sense.commandsClearedByAnotherInitiator);
    return aborted;
  }

  /** Treats the nexus as lost, although it continues (I_T NEXUS RESET; SAM-5, 6.3.4). */
  lose(): void {
    this.logicalUnit.loseNexus(this);
    this.reset(Sense.nexusLossOccurred);
  }

  /** Ends the nexus: aborts its tasks, and detaches it from the logical unit. */
  close(): void {
    this.depart();
    this.abortTasks();
    this.logicalUnit.detach(this);
  }
}
