import type { ScsiTask } from "./scsi_task.ts";

/** Who counts the tasks of a session that are over but for work of a medium. */
interface Counter {
  beginLingering(): void;
  endLingering(): void;
}

/**
 * Tasks of one connection that are over, but for pieces of work that a medium has not finished. What that takes in
 * memory counts as long as it does.
 */
export class LingeringTasks {
  readonly #counter: Counter;
  readonly #pieces = new Map<ScsiTask, number>();

  constructor(counter: Counter) {
    this.#counter = counter;
  }

  /** The task is over, but for so many pieces of work. */
  add(task: ScsiTask, pieces: number): void {
    if (pieces === 0) return;
    const before = this.#pieces.get(task);
    if (before === undefined) this.#counter.beginLingering();
    this.#pieces.set(task, (before ?? 0) + pieces);
  }

  /** The task is over, but for such work. */
  has(task: ScsiTask): boolean {
    return this.#pieces.size > 0 && this.#pieces.has(task);
  }

  /** A piece of work is done; true when it was the last one of a task that is over. */
  pieceEnded(task: ScsiTask): boolean {
    const pieces = this.#pieces.get(task);
    if (pieces === undefined) return false;
    if (pieces > 1) {
      this.#pieces.set(task, pieces - 1);
      return false;
    }
    this.#pieces.delete(task);
    this.#counter.endLingering();
    return true;
  }
}
