/**
 * The task set of a logical unit (SAM-5, 8): which commands may begin, and which are dormant until others have ended.
 *
 * - SIMPLE waits for older ORDERED commands, and for those with HEAD OF QUEUE that are under way.
 * - ORDERED waits for every older command, and for those with HEAD OF QUEUE.
 * - HEAD OF QUEUE waits for nothing.
 *
 * With TST 001b only commands of the same I_T nexus count, each nexus having a task set of its own (SPC-4, 7.5.8). What
 * is counted is counted both ways, so that TST can change at any time.
 *
 * A SIMPLE command costs one comparison while there are no others: with `restricting`.
 */
import type { Task } from "./task.ts";
import { TaskAttribute } from "./task_attribute.ts";

/** The enabled commands of one I_T nexus, or of all. */
export class EnabledTasks {
  count = 0;
  /** Those among them that keep others waiting: ORDERED and HEAD OF QUEUE. */
  restricting = 0;
}

/** What a task set needs to know of its logical unit. */
export interface TaskSetRules {
  /** TST: each I_T nexus has a task set of its own. */
  readonly isPerNexus: () => boolean;
  /** The logical unit answers every command at once, so that nothing needs to wait: it is being sanitized. */
  readonly answersAtOnce: () => boolean;
}

interface DormantTask {
  readonly task: Task;
  readonly nexus: EnabledTasks;
  readonly begin: () => void;
}

/** The commands of one logical unit that are not answered yet. */
export class TaskSet {
  /** Commands, enabled or dormant, for which a SIMPLE one that comes now may have to wait. */
  restricting = 0;
  readonly #rules: TaskSetRules;
  readonly #all = new EnabledTasks();
  /** The oldest first. */
  #dormant: DormantTask[] = [];
  #isHeld = false;

  constructor(rules: TaskSetRules) {
    this.#rules = rules;
  }

  /**
   * Whether a command that comes now may begin at once.
   *
   * @param nexus the enabled commands of its I_T nexus
   */
  admits(nexus: EnabledTasks, attribute: TaskAttribute): boolean {
    const isBehind = this.#rules.isPerNexus()
      ? this.#dormant.some((dormant) => dormant.nexus === nexus)
      : this.#dormant.length > 0;
    return this.#mayBegin(nexus, attribute, isBehind);
  }

  /** A command has begun, and has not ended at once. */
  enter(nexus: EnabledTasks, task: Task): void {
    this.#count(nexus, task, 1);
  }

  /** Has a command wait for its turn. Resolves when that has come; never when the command leaves before. */
  wait(nexus: EnabledTasks, task: Task): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    task.isDormant = true;
    this.restricting++;
    this.#dormant.push({ task, nexus, begin: resolve });
    return promise;
  }

  /**
   * A command has ended.
   *
   * @param settled resolves when nothing of it reaches the medium any more; until then others wait for it all the same
   */
  leave(nexus: EnabledTasks, task: Task, settled?: Promise<unknown>): void {
    if (task.isDormant) {
      task.isDormant = false;
      this.restricting--;
      this.#dormant = this.#dormant.filter((dormant) => dormant.task !== task);
      this.serve();
    } else if (settled === undefined) this.#end(nexus, task);
    else settled.then(() => this.#end(nexus, task));
  }

  /** Does something by which several commands leave. None begins in between that is about to leave, too. */
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

  /** Lets those begin whose turn has come. */
  serve(): void {
    if (this.#isHeld || this.#dormant.length === 0) return;
    const isPerNexus = this.#rules.isPerNexus();
    /** The nexuses of those that go on waiting, behind which all others of theirs wait, too. */
    const blocked = new Set<EnabledTasks>();
    this.#dormant = this.#dormant.filter((dormant) => {
      const { nexus, task, begin } = dormant;
      const isBehind = isPerNexus ? blocked.has(nexus) : blocked.size > 0;
      const mayBegin = this.#mayBegin(nexus, task.attribute, isBehind);
      if (!mayBegin) {
        blocked.add(nexus);
        return true;
      }
      task.isDormant = false;
      this.restricting--;
      this.#count(nexus, task, 1);
      begin();
      return false;
    });
  }

  #mayBegin(nexus: EnabledTasks, attribute: TaskAttribute, isBehind: boolean): boolean {
    if (attribute === TaskAttribute.headOfQueue || this.#rules.answersAtOnce()) return true;
    if (isBehind) return false;
    const enabled = this.#rules.isPerNexus() ? nexus : this.#all;
    return (attribute === TaskAttribute.ordered ? enabled.count : enabled.restricting) === 0;
  }

  #end(nexus: EnabledTasks, task: Task): void {
    this.#count(nexus, task, -1);
    this.serve();
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
