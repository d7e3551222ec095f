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
 * An I_T_L nexus (SAM-5): what one initiator port and one logical unit have to do with each other, and the one
 * owner of that state. Commands run against it.
 */
export class ItlNexus implements AttachedNexus {
  readonly target: TargetDescription;
  readonly logicalUnit: LogicalUnit;
  readonly identity: NexusIdentity;
  readonly id: string;
  readonly attentions = new UnitAttentionQueue();
  readonly traffic = new Traffic();
  /** Memory for the data of commands that are not begun before all of it is there, of the whole I_T nexus. */
  readonly collected: ByteBudget;
  readonly copyRecords = new CopyRecords();
  /** The I_T_L nexus of the same initiator with the logical unit that has this NAA; undefined if it has none. */
  readonly reach: (naa: string) => ItlNexus | undefined;
  /** The initiator has been told which logical units there are. */
  readonly onLunsReported: () => void;
  readonly #tasks = new Set<Task>();
  readonly #enabledTasks = new EnabledTasks();
  #isDeparted = false;
  /** Those who wait for the end of the tasks that they saw. */
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

  /** Whether a command with this attribute may begin at once (SAM-5, 8). */
  admits(attribute: TaskAttribute): boolean {
    return this.logicalUnit.tasks.admits(this.#enabledTasks, attribute);
  }

  /** Has a command wait for its turn in the task set. Resolves when that has come; never when it leaves before. */
  wait(task: Task): Promise<void> {
    this.#tasks.add(task);
    return this.logicalUnit.tasks.wait(this.#enabledTasks, task);
  }

  /** A command has begun, and has not ended at once; one that waits is there already. */
  enter(task: Task): void {
    if (task.isDormant) return;
    this.#tasks.add(task);
    this.logicalUnit.tasks.enter(this.#enabledTasks, task);
  }

  /**
   * A command has ended.
   *
   * @param settled resolves when nothing of it reaches the medium any more
   */
  leave(task: Task, settled?: Promise<unknown>): void {
    if (!this.#tasks.delete(task)) return;
    this.logicalUnit.tasks.leave(this.#enabledTasks, task, settled);
    if (this.#waiting.length > 0) this.#noteEnds();
  }

  establish(attention: Attention): void {
    this.attentions.establish(attention);
  }

  /** The logical unit was taken from the target, or the nexus is over: what has not begun must not begin. */
  get isDeparted(): boolean {
    return this.#isDeparted;
  }

  /** The target has the logical unit no more; tasks that are under way end as they would. */
  depart(): void {
    this.#isDeparted = true;
  }

  /** There is a task that has not ended (QUERY TASK SET). */
  get hasTasks(): boolean {
    return this.#tasks.size > 0;
  }

  abortTasks(isAffected: (task: Task) => boolean = () => true): Promise<unknown> | undefined {
    const tasks = [...this.#tasks].filter(isAffected);
    if (tasks.length === 0) return undefined;
    return this.logicalUnit.tasks.whileHeld(() => Promise.all(tasks.map((task) => this.#abort(task))));
  }

  #abort(task: Task): Promise<unknown> | undefined {
    // What another one brought about when it was aborted may have ended this one, too.
    if (!this.#tasks.has(task)) return undefined;
    const settled = task.abort();
    this.leave(task, settled);
    return settled;
  }

  tasksEnded(): Promise<void> {
    if (this.#tasks.size === 0) return Promise.resolve();
    return new Promise((ended) => this.#waiting.push({ tasks: new Set(this.#tasks), ended }));
  }

  #noteEnds(): void {
    this.#waiting = this.#waiting.filter(({ tasks, ended }) => {
      const goesOn = !tasks.isDisjointFrom(this.#tasks);
      if (!goesOn) ended();
      return goesOn;
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

  /** What the loss of the nexus means to its logical unit, although it goes on (I_T NEXUS RESET; SAM-5, 6.3.4). */
  lose(): void {
    this.logicalUnit.loseNexus(this);
    this.reset(Sense.nexusLossOccurred);
  }

  /** The end of the nexus: its tasks are aborted, and the logical unit forgets it. */
  close(): void {
    this.depart();
    this.abortTasks();
    this.logicalUnit.detach(this);
  }
}
