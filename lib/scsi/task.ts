import type { TaskAttribute } from "./task_attribute.ts";

/**
 * A command that has been accepted and is not yet answered (SAM-5, 5.1), as the logical unit that works on it
 * needs to know it. The transport implements it.
 */
export interface Task {
  readonly attribute: TaskAttribute;
  /** It waits in its task set for its turn, and has not begun. The task set alone changes this. */
  isDormant: boolean;
  /**
   * The task ends without a status, whatever it was waiting for.
   *
   * @returns what resolves when nothing of it reaches the medium any more; undefined when nothing does already
   */
  abort(): Promise<unknown> | undefined;
}
