/**
 * A session (RFC 7143, 4.2): one initiator port at one target, or a discovery session. It owns what outlives a PDU: the
 * order of commands, the tasks that are not answered yet, and the I_T nexus.
 */
import type { Nexus } from "../scsi/nexus.ts";
import { CommandWindow } from "./command_window.ts";
import { Limits } from "./limits.ts";
import type { LoginIdentity } from "./login.ts";
import type { ScsiTask } from "./scsi_task.ts";

/** An initiator that has logged in. */
export class Session {
  readonly tsih: number;
  readonly identity: LoginIdentity;
  readonly window: CommandWindow;
  /** Undefined in a discovery session, which carries no commands. */
  readonly nexus: Nexus | undefined;
  /** Commands that are not answered yet, by initiator task tag. */
  readonly #tasks = new Map<number, ScsiTask>();
  #immediateTasks = 0;

  constructor(options: { tsih: number; identity: LoginIdentity; cmdSN: number; nexus: Nexus | undefined }) {
    this.tsih = options.tsih;
    this.identity = options.identity;
    this.window = new CommandWindow(options.cmdSN);
    this.nexus = options.nexus;
  }

  task(initiatorTaskTag: number): ScsiTask | undefined {
    return this.#tasks.get(initiatorTaskTag);
  }

  /** One more immediate command may be taken up. */
  get hasRoomForImmediate(): boolean {
    return this.#immediateTasks < Limits.immediateCommands;
  }

  /** A task that is not answered at once is listed, here and in the task set of its logical unit. */
  list(task: ScsiTask): void {
    task.isListed = true;
    this.#tasks.set(task.initiatorTaskTag, task);
    if (task.immediate) this.#immediateTasks++;
    this.nexus?.enter(task.lun, task);
  }

  /** The opposite of `list`, when a task is over. */
  unlist(task: ScsiTask): void {
    task.isListed = false;
    this.#tasks.delete(task.initiatorTaskTag);
    if (task.immediate) this.#immediateTasks--;
    this.nexus?.leave(task.lun, task);
  }

  /** Gives the initiator what the tasks that are over leave of the window. */
  openWindow(): void {
    this.window.open(this.#tasks.size - this.#immediateTasks);
  }

  /** Ends every task and the nexus. */
  close(): void {
    for (const task of [...this.#tasks.values()]) task.abort();
    this.nexus?.close();
  }
}
