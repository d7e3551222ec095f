import type { CommandKind } from "./counters/traffic.ts";
import type { TaskAttribute } from "./task_attribute.ts";

/**
 * A command that has been accepted and not yet answered (SAM-5, 5.1), as its logical unit sees it. The transport
 * implements it.
 */
export interface Task {
  readonly attribute: TaskAttribute;
  /** The kind under which the command is counted. `Nexus.submit` sets it. */
  kind: CommandKind;
  /** The command waits in its task set and has not begun. Only the task set changes this. */
  isDormant: boolean;
  /**
   * Ends the task without a status, in any state.
   *
   * @returns a promise that resolves when the task cannot change the medium further; undefined when it already cannot
   */
  abort(): Promise<unknown> | undefined;
}
