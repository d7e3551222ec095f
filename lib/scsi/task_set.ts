/**
 * The task set of a logical unit (SAM-5, 8): decides which commands may begin, and which stay dormant until others end.
 *
 * - SIMPLE waits for older ORDERED commands, and for those with HEAD OF QUEUE that are running.
 * - ORDERED waits for every older command, and for those with HEAD OF QUEUE.
 * - HEAD OF QUEUE waits for nothing.
 *
 * With TST 001b each I_T nexus has its own task set, and only commands of the same nexus count (SPC-4, 7.5.8). Counters
 * exist for each nexus and for all, so TST can change at any time.
 *
 * While all commands are SIMPLE, each one needs a single comparison, with `restricting`. A dormant command delays all
 * younger ones, so only the oldest is looked at.
 */
import { LinkedQueue, type QueueEntry } from "../base/linked_queue.ts";
import type { Task } from "./task.ts";
import { TaskAttribute } from "./task_attribute.ts";

/** The commands of one I_T nexus, or of all: the numbers of those that are enabled, and those that are dormant. */
export class EnabledTasks {
  count = 0;
  /** Commands among them that delay others: ORDERED and HEAD OF QUEUE. */
  restricting = 0;
  /** The oldest first. */
  readonly dormant = new LinkedQueue<DormantTask>();
}

/** The rules of a task set, which depend on its logical unit. */
export interface TaskSetRules {
  /** Reports whether each I_T nexus has its own task set (TST). */
  readonly isPerNexus: () => boolean;
  /** Reports whether every command is answered at once and need not wait, while the unit is sanitized or formatted. */
  readonly answersAtOnce: () => boolean;
}

interface DormantTask {
  readonly task: Task;
  readonly nexus: EnabledTasks;
  readonly begin: () => void;
}

/** The places of a dormant task: among all, and among those of its nexus. */
interface Places {
  readonly all: QueueEntry<DormantTask>;
  readonly own: QueueEntry<DormantTask>;
}

/** The unanswered commands of one logical unit. */
export class TaskSet {
  /** Commands, enabled or dormant, for which a new SIMPLE one may have to wait. */
  restricting = 0;
  readonly #rules: TaskSetRules;
  readonly #all = new EnabledTasks();
  readonly #places = new Map<Task, Places>();
  #isHeld = false;

  constructor(rules: TaskSetRules) {
    this.#rules = rules;
  }

  /**
   * Reports whether a new command may begin at once.
   *
   * @param nexus the enabled commands of its I_T nexus
   */
  admits(nexus: EnabledTasks, attribute: TaskAttribute): boolean {
    const { dormant } = this.#rules.isPerNexus() ? nexus : this.#all;
    return this.#mayBegin(nexus, attribute, !dormant.isEmpty);
  }

  /** Adds a command that has begun and not ended at once. */
  enter(nexus: EnabledTasks, task: Task): void {
    this.#count(nexus, task, 1);
  }

  /** Makes a command wait. Resolves when it may begin; never if it leaves before. */
  wait(nexus: EnabledTasks, task: Task): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    task.isDormant = true;
    this.restricting++;
    const dormant = { task, nexus, begin: resolve };
    this.#places.set(task, { all: this.#all.dormant.push(dormant), own: nexus.dormant.push(dormant) });
    return promise;
  }

  /**
   * Removes a command that has ended.
   *
   * @param settled resolves when it cannot change the medium further; until then others wait for it
   */
  leave(nexus: EnabledTasks, task: Task, settled?: Promise<unknown>): void {
    if (task.isDormant) {
      this.#wake(nexus, task);
      this.#serveAfter(nexus);
    } else if (settled === undefined) this.#end(nexus, task);
    else settled.then(() => this.#end(nexus, task));
  }

  /** Removes several commands with `act`. No dormant command begins before all of them are removed. */
  whileHeld<T>(act: () => T): T {
    if (this.#isHeld) return act();
    this.#isHeld = true;
    try {
      return act();
    } finally {
      this.#isHeld = false;
      this.serve();
    }
  }

  /** Starts the dormant commands that may begin. */
  serve(): void {
    const { dormant } = this.#all;
    if (this.#isHeld || dormant.isEmpty) return;
    if (!this.#rules.isPerNexus()) return this.#serveQueue(dormant);
    for (const nexus of new Set([...dormant].map(({ nexus }) => nexus))) this.#serveQueue(nexus.dormant);
  }

  /** Starts the dormant commands that a command of this nexus may have delayed. */
  #serveAfter(nexus: EnabledTasks): void {
    if (!this.#rules.isPerNexus() || this.#rules.answersAtOnce()) return this.serve();
    if (!this.#isHeld) this.#serveQueue(nexus.dormant);
  }

  /** Starts commands until the oldest one that is left has to wait, and all others with it. */
  #serveQueue(queue: LinkedQueue<DormantTask>): void {
    for (let dormant = queue.first; dormant !== undefined; dormant = queue.first) {
      const { nexus, task, begin } = dormant;
      if (!this.#mayBegin(nexus, task.attribute, false)) return;
      this.#wake(nexus, task);
      this.#count(nexus, task, 1);
      begin();
    }
  }

  /** Removes a command from those that are dormant. */
  #wake(nexus: EnabledTasks, task: Task): void {
    const { all, own } = this.#places.get(task)!;
    task.isDormant = false;
    this.restricting--;
    this.#places.delete(task);
    this.#all.dormant.remove(all);
    nexus.dormant.remove(own);
  }

  #mayBegin(nexus: EnabledTasks, attribute: TaskAttribute, isBehind: boolean): boolean {
    if (attribute === TaskAttribute.headOfQueue || this.#rules.answersAtOnce()) return true;
    if (isBehind) return false;
    const enabled = this.#rules.isPerNexus() ? nexus : this.#all;
    return (attribute === TaskAttribute.ordered ? enabled.count : enabled.restricting) === 0;
  }

  #end(nexus: EnabledTasks, task: Task): void {
    this.#count(nexus, task, -1);
    this.#serveAfter(nexus);
  }

  #count(nexus: EnabledTasks, { attribute }: Task, change: 1 | -1): void {
    nexus.count += change;
    this.#all.count += change;
    if (attribute === TaskAttribute.simple) return;
    nexus.restricting += change;
    this.#all.restricting += change;
    this.restricting += change;
  }
}
